-- In its place is deprovisioning_events_undead (0145_evidence_undead).
DROP INDEX "deprovisioning_events_alive";
