"""Each recipe gives modules for the image's kernel, by our key, that take the catalogue's cards."""

from pathlib import Path

import pytest

from image.drivers import recipes
from image.toolchain import Toolchain
from tests.vm.workshops import assert_made, open_workshop, recipe_named


@pytest.mark.parametrize("name", [one.name for one in recipes.read()])
def test_a_recipe_is_built_for_the_images_kernel_and_signed(
    name: str, tools: Toolchain, tmp_path: Path
) -> None:
    recipe = recipe_named(name)

    assert_made(open_workshop(tools, tmp_path / "log", recipe), recipe, tmp_path / "root")
