-- Where a client may have a browser sent after a logout. A version that knows nothing of the column sends nobody anywhere.
ALTER TABLE "clients" ADD COLUMN "post_logout_redirect_uris" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];
