-- When the trail last said that the metadata document of a client was withdrawn: a publisher who takes it away and brings it back all day is told of once a day.
ALTER TABLE "clients" ADD COLUMN "withdrawal_told_at" TIMESTAMPTZ(3);
