-- What a stream of security events brought and was refused, so that it is seen; and since when its management at the transmitter fails, which what is
-- fetched meanwhile does not reset. A version that knows nothing of them writes none.
ALTER TABLE "signal_streams"
  ADD COLUMN "refusals" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "refusal" TEXT,
  ADD COLUMN "refused_at" TIMESTAMPTZ(3),
  ADD COLUMN "refusal_alarmed_at" TIMESTAMPTZ(3),
  ADD COLUMN "check_failing_since" TIMESTAMPTZ(3),
  ADD COLUMN "check_alarmed_at" TIMESTAMPTZ(3);
