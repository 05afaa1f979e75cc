"""Names by which a file of scores may mean a crop or a video of manifests."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from difffake.data.keys import VIDEO, stem, stem_of
from difffake.data.manifest import Manifest

Target = int
"""The number of a crop's row in all manifests together; for a whole video, -1 minus the number of its first row."""


class Names:
    """All names of the crops and videos of manifests.

    A crop of a still is named as its file in the data set; a video as in the column video, or as its file.

    Args:
        manifests: the manifests, in the order in which their rows are numbered.
    """

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self._files: dict[str, set[Target]] = defaultdict(set)  # paths of crops as they are
        self._full: dict[str, set[Target]] = defaultdict(set)  # without suffix, below the root of the data set
        self._ends: dict[str, set[Target]] = defaultdict(set)  # what is left of these without the folders above
        self._paths: list[str] = []
        for manifest in manifests:
            self._add(manifest)

    def _add(self, manifest: Manifest) -> None:
        table, first = manifest.table, len(self._paths)
        resolved = manifest.root.resolve()
        plain = stem(table["path"])
        for row, (path, name, video) in enumerate(zip(table["path"], plain, table["video"], strict=True), start=first):
            self._paths.append((manifest.root / path).as_posix())
            for file in (path, self._paths[-1], (resolved / path).as_posix()):
                self._files[file].add(row)
            self._full[name].add(row)
            if not video:  # the frames of videos have numbers, which are no names
                for end in _ends(name):
                    self._ends[end].add(row)
        moving = table[table["video"] != ""].drop_duplicates(VIDEO)
        own = stem(moving["video"])
        folder = plain[moving.index].map(lambda name: name.rpartition("/")[0])
        for row, names in zip(moving.index, zip(own, folder, strict=True), strict=True):
            for name in filter(None, names):
                self._full[name].add(-1 - (first + row))
                for end in _ends(name):
                    self._ends[end].add(-1 - (first + row))

    def find(self, name: str) -> set[Target]:
        """Crops and videos that have a name, by the most exact way in which any has it; empty if none has."""
        if name in self._files:
            return set(self._files[name])
        plain = stem_of(name.replace("\\", "/").removeprefix("./"))
        ways = (self._full.get(plain), self._ends.get(plain), *(self._full.get(end) for end in _ends(plain)))
        return set(next(filter(None, ways), ()))

    def file(self, target: Target) -> str:
        """Path of a crop."""
        return self._paths[target]


def _ends(name: str) -> Iterator[str]:
    """The name without its first folder, then without the first two, and so on."""
    while "/" in name:
        name = name.partition("/")[2]
        yield name
