"""Removes what set-up put into the cache: `make clean-cache`."""

import shutil

from provision import cache

# Only what set-up makes: the cache may be a folder that the user named, with other things in it.
_MADE = ("venv-*", "uv-*", "controlplane-*", "helm-*", "logs")


def main() -> None:
    """Remove each part and say so."""
    for pattern in _MADE:
        for folder in sorted(cache.root().glob(pattern)):
            print(f"removing {folder}")
            if folder.is_symlink():
                folder.unlink()
            else:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
