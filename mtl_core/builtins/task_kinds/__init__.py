"""Task kinds: for each, a spec (the YAML block) and a run-time class (loss, metrics, decoding)."""
