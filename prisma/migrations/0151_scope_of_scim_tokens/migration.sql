-- How much a directory may do with its token: scim:read, scim:users or scim. What was made before may do everything, as it could; a version that knows nothing of the column
-- makes such ones only, and lets any do everything.
ALTER TABLE "scim_tokens" ADD COLUMN "scope" TEXT NOT NULL DEFAULT 'scim' CHECK ("scope" IN ('scim:read', 'scim:users', 'scim'));
