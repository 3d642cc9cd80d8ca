-- When the trail last told that a code was refused, exact to an hour, as of refresh tokens (0124): whoever has one could else write it as often as he likes.
ALTER TABLE "authorization_codes" ADD COLUMN "refused_at" TIMESTAMPTZ(3);
