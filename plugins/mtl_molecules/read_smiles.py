"""Molecules of RDKit from SMILES, without its messages on standard error."""

import re

from rdkit import Chem, rdBase

from mtl_core import MtlError

_TIME = re.compile(r"^\[[\d:]+\] (?:SMILES Parse Error: )?")
_POSITION = re.compile(r"around position (\d+)")
MAX_CHARACTERS = 120
"""Number of characters of a SMILES in messages."""


def read_smiles(smiles: object) -> Chem.Mol:
    """Return the molecule of a SMILES.

    Raises:
        MtlError: If it is no text, or RDKit refuses it; the message contains its reason.

    Example:
        >>> read_smiles("CCO").GetNumAtoms()
        3
    """
    if not isinstance(smiles, str):
        raise MtlError(f"expected a SMILES, found {type(smiles).__name__}")
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
        if molecule is not None:
            return molecule
        with rdBase.CaptureErrorLog() as log:
            Chem.MolFromSmiles(smiles)
    excerpt = smiles if len(smiles) <= MAX_CHARACTERS else smiles[:MAX_CHARACTERS] + "…"
    raise MtlError(f"'{excerpt}' is not a valid SMILES: {_extract_reason(log.messages)}")


def _extract_reason(messages: str) -> str:
    """Return the first message of RDKit without time and input, with the position if there is one."""
    lines = [_TIME.sub("", line) for line in messages.splitlines()]
    if not lines:
        return "it has no atom"
    reason = lines[0].split(" while parsing:")[0].split(" for input:")[0]
    position = next((match[1] for line in lines if (match := _POSITION.search(line))), None)
    return reason if position is None else f"{reason} around position {position}"
