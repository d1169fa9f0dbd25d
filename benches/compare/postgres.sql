-- An audit trail by hand, to compare with: a chain of hashes by a trigger, each event encrypted under its data subject's key.
CREATE EXTENSION pgcrypto;
CREATE TABLE head (id int PRIMARY KEY, seq bigint, hash bytea);
INSERT INTO head VALUES (1, 0, '\x');
CREATE TABLE subject_key (subject text PRIMARY KEY, key bytea);
CREATE TABLE sealed (
    seq bigint PRIMARY KEY,
    event_id uuid UNIQUE,
    subject text,
    recorded_at timestamptz,
    body text,
    cipher bytea,
    prev bytea,
    hash bytea
);
CREATE INDEX ON sealed (subject);
CREATE FUNCTION seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_seq bigint;
    last_hash bytea;
    subject_secret bytea;
    iv bytea := gen_random_bytes(16);
BEGIN
    SELECT key INTO subject_secret FROM subject_key WHERE subject = NEW.subject;
    IF NOT FOUND THEN
        INSERT INTO subject_key VALUES (NEW.subject, gen_random_bytes(32)) ON CONFLICT DO NOTHING;
        SELECT key INTO subject_secret FROM subject_key WHERE subject = NEW.subject;
    END IF;
    NEW.cipher := iv || encrypt_iv(convert_to(NEW.body, 'UTF8'), subject_secret, iv, 'aes-cbc/pad:pkcs');
    NEW.body := NULL;
    SELECT seq, hash INTO last_seq, last_hash FROM head WHERE id = 1 FOR UPDATE;
    NEW.seq := last_seq + 1;
    NEW.recorded_at := clock_timestamp();
    NEW.prev := last_hash;
    NEW.hash := sha256(
        last_hash || int8send(NEW.seq) || convert_to(NEW.event_id::text || NEW.recorded_at::text, 'UTF8') || NEW.cipher
    );
    UPDATE head SET seq = NEW.seq, hash = NEW.hash WHERE id = 1;
    RETURN NEW;
END $$;
CREATE TRIGGER seal BEFORE INSERT ON sealed FOR EACH ROW EXECUTE FUNCTION seal();
CREATE UNLOGGED TABLE samples (id serial PRIMARY KEY, subject text, body text);
