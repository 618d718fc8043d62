"""Find a member's file inside the artifact, and never outside."""

from pathlib import Path

from inference.bundle import Member
from inference.errors import BadModel, UnsafeArtifact


def member_file(folder: Path, member: Member) -> Path:
    """Return the path of the member's file.

    Raises:
        BadModel: it names none, or it is not there.
        UnsafeArtifact: it points out of the folder.
    """
    path = _inside(folder, member)
    if not path.is_file():
        raise BadModel(f"model {member.name!r}: there is no file {member.file!r} in the artifact")
    return path


def member_folder(folder: Path, member: Member) -> Path:
    """Return the path of the member's folder (a SavedModel, a transformers model).

    Raises:
        BadModel: it names none, or it is not there.
        UnsafeArtifact: it points out of the artifact.
    """
    path = _inside(folder, member)
    if not path.is_dir():
        raise BadModel(f"model {member.name!r}: there is no folder {member.file!r} in the artifact")
    return path


def _inside(folder: Path, member: Member) -> Path:
    if not member.file:
        raise BadModel(f"model {member.name!r} names no file; {member.runtime} needs one")
    root = folder.resolve()
    path = (root / member.file).resolve()
    if not path.is_relative_to(root):
        raise UnsafeArtifact(f"model {member.name!r}: {member.file!r} lies outside the artifact")
    return path
