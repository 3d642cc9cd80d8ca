-- In its place is that of 0178.
DROP INDEX "outbox_undone";
