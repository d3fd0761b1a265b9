-- Whose rights are changed gets a new session id at the next request of each browser.
ALTER TABLE web_session ADD COLUMN renewal_due BOOLEAN NOT NULL DEFAULT FALSE;
