"""What keeps the rows of the audit trail as they are: rows older than a checkpoint that the same transaction wrote down
may be pruned, and nothing else changes.
"""

from __future__ import annotations


def _append_only(table: str, verb: str, last: str) -> tuple[str, ...]:
    """`last`: the column with the number of the last row of the trail that a row of the table holds."""
    function = f"syncd.{table}_{verb}_append_only"
    refused = "'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation'"
    return (
        f"""CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.{last} < coalesce((SELECT value::bigint FROM syncd.meta_t
            WHERE connection = OLD.connection AND key = 'journal_checkpoint'), 0) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION {refused};
END $$""",
        f"""CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON syncd.{table}_t
    FOR EACH ROW EXECUTE FUNCTION {function}()""",
        f"""CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON syncd.{table}_t
    FOR EACH STATEMENT EXECUTE FUNCTION {function}()""",
    )


JOURNAL = _append_only("journal", "is", "sequence")
PACKS = _append_only("packs", "are", "last")
