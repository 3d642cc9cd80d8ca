-- In its place is that of 0132.
DROP INDEX "subjects_ending";
