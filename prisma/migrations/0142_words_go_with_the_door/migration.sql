-- A broker of an earlier version lets somebody in and leaves there who had kept her out. Whoever shuts the door then through such a broker would leave that word
-- in force, and her directory would lift what an admin did. So the words go when the door opens, whoever opens it.
CREATE FUNCTION forget_who_kept_out() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  NEW.deactivated_by := '{}';
  RETURN NEW;
END
$$;
CREATE TRIGGER words_go_with_the_door BEFORE UPDATE OF deactivated_at ON "subjects" FOR EACH ROW
  WHEN (NEW.deactivated_at IS NULL AND NEW.deactivated_by <> '{}') EXECUTE FUNCTION forget_who_kept_out();
