"""``cardionets inspect``: what a cohort holds."""


def inspect() -> None:
    """x"""
