"""Reader of folders named after people: real faces."""

from pathlib import Path

from difffake.faces.listing import left_out
from difffake.progress import console
from difffake.readers.item import Item, files_in, name_of, some


def read_folder(root: Path) -> list[Item]:
    """Read real faces in files `identity/image`: each folder has the images of one person."""
    files = files_in(root, "image")
    if loose := [file for file in files if file.parent == root]:
        console.print(left_out(loose, root, "loose image"))
    items = [
        Item(file, name_of(file, root), identity=file.parent.relative_to(root).as_posix())
        for file in files
        if file.parent != root
    ]
    return some(items, root, "no images in folders named after identities (root/identity/image.jpg)")
