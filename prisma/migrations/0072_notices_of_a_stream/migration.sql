-- By which an event stream finds what it owes. The index of 0071 begins as the primary key does, and while one issuer has written nearly all notices the
-- planner took the key, or the whole table, for as good: each look then read what other tenants had been told.
CREATE INDEX "notices_of_stream" ON "notices" ("resource_id", "issuer_id", "position");
DROP INDEX "notices_of_issuer";
