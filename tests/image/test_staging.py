import os
import stat
from pathlib import Path

from image import staging


def test_a_settled_tree_does_not_tell_who_checked_it_out(tmp_path: Path) -> None:
    trees = [tmp_path / "one", tmp_path / "other"]
    for tree, mask, time in zip(trees, (0o002, 0o077), (5, 6_000_000_000), strict=True):
        before = os.umask(mask)
        (tree / "a").mkdir(parents=True)
        (tree / "a" / "text").touch()
        (tree / "a" / "program").touch(mode=0o755)
        (tree / "link").symlink_to("a")
        os.umask(before)
        os.utime(tree / "a" / "text", (time, time))

        staging.settle(tree, 1_700_000_000)

    seen = [
        {
            str(path.relative_to(tree)): (path.lstat().st_mode, int(path.lstat().st_mtime))
            for path in tree.rglob("*")
        }
        for tree in trees
    ]
    assert seen[0] == seen[1]
    assert {time for _, time in seen[0].values()} == {1_700_000_000}
    assert stat.S_IMODE(seen[0]["a/program"][0]) == 0o755
    assert stat.S_IMODE(seen[0]["a/text"][0]) == 0o644
