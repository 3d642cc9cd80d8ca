-- Those that are kept for a short time alone, few of all.
CREATE INDEX "deprovisioning_events_brief" ON "deprovisioning_events" ("received_at") WHERE NOT "matched" OR "source" = 'revocation_endpoint';
