"""What keeps the rows of the audit trail as they are: rows older than a checkpoint that the same transaction wrote down
may be pruned, and nothing else changes.
"""

from __future__ import annotations

JOURNAL = (
    """CREATE FUNCTION syncd.journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        -- Rows older than a checkpoint that the same transaction wrote down may be pruned.
        IF OLD.sequence < coalesce((SELECT value::bigint FROM syncd.meta_t
            WHERE connection = OLD.connection AND key = 'journal_checkpoint'), 0) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$""",
    """CREATE TRIGGER journal_no_change BEFORE UPDATE OR DELETE ON syncd.journal_t
    FOR EACH ROW EXECUTE FUNCTION syncd.journal_is_append_only()""",
    """CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON syncd.journal_t
    FOR EACH STATEMENT EXECUTE FUNCTION syncd.journal_is_append_only()""",
)
PACKS = (
    """CREATE FUNCTION syncd.packs_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.last < coalesce((SELECT value::bigint FROM syncd.meta_t
            WHERE connection = OLD.connection AND key = 'journal_checkpoint'), 0) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$""",
    """CREATE TRIGGER packs_no_change BEFORE UPDATE OR DELETE ON syncd.packs_t
    FOR EACH ROW EXECUTE FUNCTION syncd.packs_are_append_only()""",
    """CREATE TRIGGER packs_no_truncate BEFORE TRUNCATE ON syncd.packs_t
    FOR EACH STATEMENT EXECUTE FUNCTION syncd.packs_are_append_only()""",
)
