-- The sweep of a kill that may have ended very much leaves the rest to an entry of its own, in the transaction in which it has told it.
GRANT INSERT ON "outbox" TO drawbridge_across;
