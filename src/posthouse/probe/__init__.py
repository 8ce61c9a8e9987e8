"""The tools that prove the relay works: the test sender, and the whole chain rehearsed on one machine."""
