"""Reader of folders named after people: real faces."""

from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import left_out
from difffake.progress import console
from difffake.readers.class_names import class_of, refuse_fakes
from difffake.readers.item import Item, files_in, name_of, some
from difffake.readers.reader import Reader


def read_folder(root: Path) -> list[Item]:
    """Images as `identity/image`: real faces, each folder one person.

    Raises `UserError` if there are none, or a folder's name says fake or real instead of a person.
    """
    files = files_in(root, "image")
    refuse_fakes(root, files, "folder")
    if classes := sorted({file.parent for file in files if class_of(file.parent.name) == 0} - {root}):
        raise UserError(f"{classes[0]} is no person's name: --reader classes reads folders named real and fake")
    if loose := [file for file in files if file.parent == root]:
        console.print(left_out(loose, root, "loose image"))
    items = [
        Item(file, name_of(file, root), identity=file.parent.relative_to(root).as_posix())
        for file in files
        if file.parent != root
    ]
    return some(items, root, "no images in folders named after identities (root/identity/image.jpg)")


READER = Reader(read_folder, "IDENTITY/image.jpg: real faces", real_only=True)
