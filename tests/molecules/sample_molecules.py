"""Sample molecules: well-known compounds with invented labels."""

from pathlib import Path

MOLECULES = {
    "ethanol": "CCO",
    "propanol": "CCCO",
    "butanol": "CCCCO",
    "acetic acid": "CC(=O)O",
    "acetone": "CC(C)=O",
    "diethyl ether": "CCOCC",
    "hexane": "CCCCCC",
    "urea": "NC(N)=O",
    "glycine": "NCC(=O)O",
    "alanine": "CC(N)C(=O)O",
    "cyclohexane": "C1CCCCC1",
    "cyclohexanol": "OC1CCCCC1",
    "morpholine": "C1COCCN1",
    "piperidine": "C1CCNCC1",
    "glucose": "OCC1OC(O)C(O)C(O)C1O",
    "benzene": "c1ccccc1",
    "toluene": "Cc1ccccc1",
    "phenol": "Oc1ccccc1",
    "aniline": "Nc1ccccc1",
    "benzoic acid": "OC(=O)c1ccccc1",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "pyridine": "c1ccncc1",
    "nicotine": "CN1CCCC1c1cccnc1",
    "naphthalene": "c1ccc2ccccc2c1",
    "indole": "c1ccc2[nH]ccc2c1",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "imidazole": "c1c[nH]cn1",
    "furan": "c1ccoc1",
}
"""Name to SMILES."""
INVALID = "c1ccccc"
"""A ring that is not closed."""


def write_molecules(path: Path, *extra: str, repetitions: int = 1) -> Path:
    """Write the sample as CSV with two invented labels, each missing for some molecules, then further lines.

    `ring` is 1 for aromatic rings, `sweet` follows the number of oxygen atoms.
    """
    lines = ["smiles,name,ring,sweet"]
    for _ in range(repetitions):
        for index, (name, smiles) in enumerate(MOLECULES.items()):
            ring = "" if index % 7 == 3 else int("c" in smiles)
            sweet = "" if index % 5 == 2 else int(smiles.count("O") > 1)
            lines.append(f"{smiles},{name},{ring},{sweet}")
    path.write_text("\n".join([*lines, *extra]) + "\n", encoding="utf-8")
    return path
