-- A login that nobody asked for is told once an hour and connection: whether it was is found without reading the hour's trail.
CREATE INDEX audit_events_unsolicited ON audit_events (tenant_id, connection_id, at) WHERE kind = 'login_unsolicited';
