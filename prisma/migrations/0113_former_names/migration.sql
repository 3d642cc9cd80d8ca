-- Whoever signed in before her directory told of her is known by a key that the directory may change before it takes her access. The one before is kept, and
-- asked for when access is taken away: nobody who lives is linked by it. A version that knows nothing of it raises an alarm instead.
ALTER TABLE "scim_users" ADD COLUMN "former_user_name" TEXT, ADD COLUMN "former_external_id" TEXT;
