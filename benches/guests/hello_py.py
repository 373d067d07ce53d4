"""The greeting of tests/guests/hello, in Python."""

import wit_world


class WitWorld(wit_world.WitWorld):
    def greet(self, name: str) -> str:
        return f"Hello, {name}! Your name has {len(name)} letters."
