-- A client's version says what a process remembers of it, and no process keeps clients with the configuration of a tenant. So a change of a
-- client is no change of configuration: else whoever publishes a metadata document that says something else each time it is fetched, which
-- needs no account, would make every process load the tenant again, and every login that is being decided decide anew.
DROP TRIGGER configuration_changed ON clients;
DROP TRIGGER configuration_lost ON clients;
