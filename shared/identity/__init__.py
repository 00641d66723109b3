"""What people decide about identity: whether two devices that claim the same are one piece of hardware.

All within the caller's transaction. Order of locks: the integrations, then the assets in the order of their ids, then
what stands on them; as the writer and a removal have it.
"""
