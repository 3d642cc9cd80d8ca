-- What one process told last. Its level alone does not say how much of what the others spent had time to run off meanwhile.
ALTER TABLE "shared_limits" ADD COLUMN "spent" DOUBLE PRECISION NOT NULL DEFAULT 0;
