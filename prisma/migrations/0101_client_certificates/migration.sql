-- The name that the certificate of a client must hold by which it proves itself. A version that knows nothing of the column believes such a client nothing.
ALTER TABLE "clients" ADD COLUMN "certificate_name" JSONB;
ALTER TABLE clients DROP CONSTRAINT clients_token_endpoint_auth_method_check;
ALTER TABLE clients ADD CONSTRAINT clients_token_endpoint_auth_method_check CHECK (token_endpoint_auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'));
ALTER TABLE clients ADD CONSTRAINT clients_certificate_name_check CHECK (token_endpoint_auth_method <> 'tls_client_auth' OR certificate_name IS NOT NULL);
