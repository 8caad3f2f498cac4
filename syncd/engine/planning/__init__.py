"""From what is staged to a plan: decide, match, order, hold. Writes nothing, at either side or in the store."""
