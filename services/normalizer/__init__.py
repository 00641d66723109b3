"""normalizer: the vendor's devices in, canonical hardware assets out; pure mapping and one handler around it."""
