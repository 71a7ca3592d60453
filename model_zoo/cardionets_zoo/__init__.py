"""The zoo: released weights with card, hash and licence, and how each was trained."""
