"""One driver that Debian's kernel lacks is built at each change: the smallest."""

from pathlib import Path

from image.toolchain import Toolchain
from tests.vm.workshops import assert_made, open_workshop, recipe_named


def test_it_is_built_for_the_images_kernel_and_signed(tools: Toolchain, tmp_path: Path) -> None:
    recipe = recipe_named("qat-gen4")

    assert_made(open_workshop(tools, tmp_path / "log", recipe), recipe, tmp_path / "root")
