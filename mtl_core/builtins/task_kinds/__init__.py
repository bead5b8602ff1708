"""Task kinds: for each, a spec (what YAML says) and a run-time side (loss, metrics, decoding)."""
