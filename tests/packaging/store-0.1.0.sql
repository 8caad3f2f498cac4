BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'syncd','m001_initial','2026-11-29 14:30:01.350317+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'syncd','m002_asked_by_hand','2026-11-29 14:30:01.366143+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'syncd','m003_letter_case','2026-11-29 14:30:01.376714+00:00');
CREATE TABLE decisions (
    id INTEGER NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decision TEXT NOT NULL,
    hold_id TEXT,
    change_id TEXT NOT NULL,
    object_key TEXT NOT NULL,
    expires_at TEXT
);
CREATE TABLE facts (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "facts" VALUES('assignments','"4"');
INSERT INTO "facts" VALUES('last_complete_read','"2026-11-29T14:30:05Z"');
INSERT INTO "facts" VALUES('learned','"{\"learned\": {\"filter:users.userName:folds\": \"no\", \"media_type\": \"application/scim+json\", \"members_add\": \"path\", \"shown:externalId\": \"yes\", \"shown:group.externalId\": \"yes\", \"trusted:combined:active\": \"yes\", \"update_method\": \"patch\"}, \"target\": \"5dcfa9f569c8fa927e48dbec87dddb216ec89d840e5dc7d4f8b00edf2b149699\"}"');
INSERT INTO "facts" VALUES('scope','"2ebe9b31b8fc6b8ff2aae2be707c01061a7c56e8a0f37dc5d7937ce82d95c53c"');
CREATE TABLE failures (
    object_key TEXT NOT NULL PRIMARY KEY,
    change_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    okta_id TEXT NOT NULL,
    group_id TEXT,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_failed TEXT NOT NULL,
    next_attempt TEXT NOT NULL
);
CREATE TABLE groups (
    okta_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('pushed', 'frozen', 'gone')),
    wish TEXT NOT NULL,
    revision INTEGER NOT NULL,
    members_stamp TEXT,
    list_revision INTEGER,
    released INTEGER NOT NULL DEFAULT 0,
    scim_id TEXT,
    pushed_name TEXT
, asked TEXT);
INSERT INTO "groups" VALUES('00g000000007000080g4','pushed','["Crew","Crew","create",false,"keep","name = \"Crew\"","push rule name = \"Crew\"","2026-11-29T14:29:54.940Z"]',1,NULL,1,0,'06af828a-ddbe-433e-bc70-48ff3b972c6b','"Crew"',NULL);
CREATE TABLE hold_changes (
    hold_id TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE,
    change_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    okta_id TEXT NOT NULL,
    group_id TEXT,
    document TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (hold_id, change_id)
) WITHOUT ROWID;
CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    check_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    way_out TEXT NOT NULL,
    numbers TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE TABLE journal (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    run_id TEXT,
    entry TEXT NOT NULL CHECK (entry IN ('intent', 'outcome', 'note')),
    refers INTEGER,
    kind TEXT,
    okta_id TEXT,
    group_id TEXT,
    applied INTEGER,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO "journal" VALUES(1,'2026-11-29T14:30:01.955424Z','20261129T143001Z-e07335','intent',NULL,'create_user','00u000000007000090g4',NULL,NULL,'{"after":{"active":true,"displayName":"L eft","emails[work].value":"left@example.com","externalId":"00u000000007000090g4","name.familyName":"eft","name.givenName":"L","userName":"left@example.com"},"before":{},"id":"2fb4751c7a24e6f0","kind":"create_user","name":"left@example.com","okta_id":"00u000000007000090g4","reason":"assigned directly","scim_id":null}','0000000000000000000000000000000000000000000000000000000000000000','0ca48aba4f55d95d97cbe65c0ea00ba3838e0c13583d33158f9f49bdf6663bdd');
INSERT INTO "journal" VALUES(2,'2026-11-29T14:30:01.955424Z','20261129T143001Z-e07335','intent',NULL,'create_user','00u000000007000040g4',NULL,NULL,'{"after":{"active":true,"displayName":"P 00","emails[work].value":"p00@example.com","externalId":"00u000000007000040g4","name.familyName":"00","name.givenName":"P","userName":"p00@example.com"},"before":{},"id":"0d8298935ce7bab4","kind":"create_user","name":"p00@example.com","okta_id":"00u000000007000040g4","reason":"assigned directly","scim_id":null}','0ca48aba4f55d95d97cbe65c0ea00ba3838e0c13583d33158f9f49bdf6663bdd','238a63511527d48a8d29985ec875b6d26bd5aeb3e0f286d159dc652634e4b85a');
INSERT INTO "journal" VALUES(3,'2026-11-29T14:30:01.955424Z','20261129T143001Z-e07335','intent',NULL,'create_user','00u000000007000050g4',NULL,NULL,'{"after":{"active":true,"displayName":"P 01","emails[work].value":"p01@example.com","externalId":"00u000000007000050g4","name.familyName":"01","name.givenName":"P","userName":"p01@example.com"},"before":{},"id":"62f890b266315502","kind":"create_user","name":"p01@example.com","okta_id":"00u000000007000050g4","reason":"assigned directly","scim_id":null}','238a63511527d48a8d29985ec875b6d26bd5aeb3e0f286d159dc652634e4b85a','d8b6ba2568b050134e0b98067ef8effb50e0b18bd8277cb14220233875b6da87');
INSERT INTO "journal" VALUES(4,'2026-11-29T14:30:01.955424Z','20261129T143001Z-e07335','intent',NULL,'create_user','00u000000007000060g4',NULL,NULL,'{"after":{"active":true,"displayName":"P 02","emails[work].value":"p02@example.com","externalId":"00u000000007000060g4","name.familyName":"02","name.givenName":"P","userName":"p02@example.com"},"before":{},"id":"a02a7b47cc69d5d6","kind":"create_user","name":"p02@example.com","okta_id":"00u000000007000060g4","reason":"assigned directly","scim_id":null}','d8b6ba2568b050134e0b98067ef8effb50e0b18bd8277cb14220233875b6da87','20bf58f057a9414f36799e85614d8a131bbace678dc19dc452d842cae8b2307a');
INSERT INTO "journal" VALUES(5,'2026-11-29T14:30:01.955424Z','20261129T143001Z-e07335','intent',NULL,'create_user','00u000000007000070g4',NULL,NULL,'{"after":{"active":true,"displayName":"P 03","emails[work].value":"p03@example.com","externalId":"00u000000007000070g4","name.familyName":"03","name.givenName":"P","userName":"p03@example.com"},"before":{},"id":"2ef1104284ddece3","kind":"create_user","name":"p03@example.com","okta_id":"00u000000007000070g4","reason":"assigned directly","scim_id":null}','20bf58f057a9414f36799e85614d8a131bbace678dc19dc452d842cae8b2307a','bb411f28b35bcb649c004ee80dd20530f738d9cc82ad4fa4fe382d57ad95b397');
INSERT INTO "journal" VALUES(6,'2026-11-29T14:30:01.984437Z','20261129T143001Z-e07335','outcome',1,'create_user','00u000000007000090g4',NULL,1,'{"change":"2fb4751c7a24e6f0","effects":[{"active":true,"scim_id":"36237934-25db-487d-a90f-f5cd6631ca5b","user":"00u000000007000090g4"}],"status":201}','bb411f28b35bcb649c004ee80dd20530f738d9cc82ad4fa4fe382d57ad95b397','f41c0e19fcde1cc427db3125f6e6ff6a480363c0ae518d23ed7b148c9bc6b44f');
INSERT INTO "journal" VALUES(7,'2026-11-29T14:30:01.984437Z','20261129T143001Z-e07335','outcome',2,'create_user','00u000000007000040g4',NULL,1,'{"change":"0d8298935ce7bab4","effects":[{"active":true,"scim_id":"5c51054a-d163-4ce0-bb20-b0a6c5a5648a","user":"00u000000007000040g4"}],"status":201}','f41c0e19fcde1cc427db3125f6e6ff6a480363c0ae518d23ed7b148c9bc6b44f','4dcdb0a22633ba2da5a2dd24e3a31f7df0fb2845528de656b2a7615bed0b7fa4');
INSERT INTO "journal" VALUES(8,'2026-11-29T14:30:01.984437Z','20261129T143001Z-e07335','outcome',3,'create_user','00u000000007000050g4',NULL,1,'{"change":"62f890b266315502","effects":[{"active":true,"scim_id":"21f57648-10ad-4c47-8e22-def6d4c972b4","user":"00u000000007000050g4"}],"status":201}','4dcdb0a22633ba2da5a2dd24e3a31f7df0fb2845528de656b2a7615bed0b7fa4','dec77a0197cc2f672cb46ef5c9e6e12637034685be7e1d0a5bca239ea7722b7b');
INSERT INTO "journal" VALUES(9,'2026-11-29T14:30:01.984437Z','20261129T143001Z-e07335','outcome',5,'create_user','00u000000007000070g4',NULL,1,'{"change":"2ef1104284ddece3","effects":[{"active":true,"scim_id":"16a33875-1347-4b5d-a79d-d03a9e57658c","user":"00u000000007000070g4"}],"status":201}','dec77a0197cc2f672cb46ef5c9e6e12637034685be7e1d0a5bca239ea7722b7b','75872a5b4aeeed4b90a21a872b196782baeaf789d6689fa02fbce0a5af57506f');
INSERT INTO "journal" VALUES(10,'2026-11-29T14:30:01.992563Z','20261129T143001Z-e07335','outcome',4,'create_user','00u000000007000060g4',NULL,1,'{"change":"a02a7b47cc69d5d6","effects":[{"active":true,"scim_id":"5b2af03d-a077-424e-afbc-42d78213049e","user":"00u000000007000060g4"}],"status":201}','75872a5b4aeeed4b90a21a872b196782baeaf789d6689fa02fbce0a5af57506f','29f2f96be6abb6d70f18bd39178cbf66c5afc4159e828e41206196ba8a7cec3c');
INSERT INTO "journal" VALUES(11,'2026-11-29T14:30:01.997068Z','20261129T143001Z-e07335','intent',NULL,'create_group','00g000000007000080g4',NULL,NULL,'{"after":{"displayName":"Crew","externalId":"00g000000007000080g4"},"before":{},"id":"9530f6e1653f9c47","kind":"create_group","name":"Crew","okta_id":"00g000000007000080g4","reason":"push rule name = \"Crew\"","scim_id":null}','29f2f96be6abb6d70f18bd39178cbf66c5afc4159e828e41206196ba8a7cec3c','f3ea05c5ca42fe398714aaef08942cab9a538df8ad97222765ca9a9fedee7469');
INSERT INTO "journal" VALUES(12,'2026-11-29T14:30:02.016074Z','20261129T143001Z-e07335','outcome',11,'create_group','00g000000007000080g4',NULL,1,'{"change":"9530f6e1653f9c47","effects":[{"group":"00g000000007000080g4","scim_id":"06af828a-ddbe-433e-bc70-48ff3b972c6b"}],"status":201}','f3ea05c5ca42fe398714aaef08942cab9a538df8ad97222765ca9a9fedee7469','e87f58dec968ecfbddcabb56474c2c42fa675fa642492fbdffe76cd46aaee8f7');
INSERT INTO "journal" VALUES(13,'2026-11-29T14:30:02.021273Z','20261129T143001Z-e07335','intent',NULL,'add_member','00u000000007000040g4','00g000000007000080g4',NULL,'{"after":{"member":true},"before":{"member":false},"group":"Crew","group_id":"00g000000007000080g4","id":"8ca2f514f62482ba","kind":"add_member","name":"p00@example.com","okta_id":"00u000000007000040g4","reason":"member of Crew in Okta","scim_id":null,"user":"p00@example.com"}','e87f58dec968ecfbddcabb56474c2c42fa675fa642492fbdffe76cd46aaee8f7','ca1e97c21685ff4fd10a139623463a489747b306c334d6d9c2f66a7f29a54bcb');
INSERT INTO "journal" VALUES(14,'2026-11-29T14:30:02.021273Z','20261129T143001Z-e07335','intent',NULL,'add_member','00u000000007000050g4','00g000000007000080g4',NULL,'{"after":{"member":true},"before":{"member":false},"group":"Crew","group_id":"00g000000007000080g4","id":"95494d9da876db27","kind":"add_member","name":"p01@example.com","okta_id":"00u000000007000050g4","reason":"member of Crew in Okta","scim_id":null,"user":"p01@example.com"}','ca1e97c21685ff4fd10a139623463a489747b306c334d6d9c2f66a7f29a54bcb','6ed0c4599690512301dd07c34d653bb8a37b5e3f4f49596505f547129b526ad2');
INSERT INTO "journal" VALUES(15,'2026-11-29T14:30:02.030751Z','20261129T143001Z-e07335','outcome',13,'add_member','00u000000007000040g4','00g000000007000080g4',1,'{"change":"8ca2f514f62482ba","effects":[{"group":"00g000000007000080g4","present":true,"user":"00u000000007000040g4"}],"status":200}','6ed0c4599690512301dd07c34d653bb8a37b5e3f4f49596505f547129b526ad2','1a730dddd8ff0d2244bc2236b5e26815a3c78d9d4bb4255e98f1c676c311e925');
INSERT INTO "journal" VALUES(16,'2026-11-29T14:30:02.030751Z','20261129T143001Z-e07335','outcome',14,'add_member','00u000000007000050g4','00g000000007000080g4',1,'{"change":"95494d9da876db27","effects":[{"group":"00g000000007000080g4","present":true,"user":"00u000000007000050g4"}],"status":200}','1a730dddd8ff0d2244bc2236b5e26815a3c78d9d4bb4255e98f1c676c311e925','9a5626130e925931b8de34f60cec2c23c27e6a8759276f316c6e8b204ad5cf41');
INSERT INTO "journal" VALUES(17,'2026-11-29T14:30:05.660825Z','20261129T143005Z-f4ad60','intent',NULL,'deactivate_user','00u000000007000090g4',NULL,NULL,'{"after":{"active":false},"before":{"active":true},"evidence":"Okta answers 404 for app user 00u000000007000090g4 while the app is ACTIVE","id":"d00e870ef7e98e98","kind":"deactivate_user","name":"left@example.com","okta_id":"00u000000007000090g4","reason":"left the app","scim_id":"36237934-25db-487d-a90f-f5cd6631ca5b"}','9a5626130e925931b8de34f60cec2c23c27e6a8759276f316c6e8b204ad5cf41','a737f4a2621a2647f949a9419718eaef7eadbbd1e87f65a60d559800d500dfdb');
INSERT INTO "journal" VALUES(18,'2026-11-29T14:30:05.692611Z','20261129T143005Z-f4ad60','outcome',17,'deactivate_user','00u000000007000090g4',NULL,1,'{"change":"d00e870ef7e98e98","effects":[{"active":false,"scim_id":"36237934-25db-487d-a90f-f5cd6631ca5b","user":"00u000000007000090g4"}],"status":200}','a737f4a2621a2647f949a9419718eaef7eadbbd1e87f65a60d559800d500dfdb','86934daf51f70089ccae7af9f58683a8a033250903d1339a9cb7c536c5396d00');
CREATE TABLE members (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    listed INTEGER NOT NULL,
    pushed INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
INSERT INTO "members" VALUES('00g000000007000080g4','00u000000007000040g4',1,1);
INSERT INTO "members" VALUES('00g000000007000080g4','00u000000007000050g4',1,1);
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('identity','acme');
INSERT INTO "meta" VALUES('journal_head','18:86934daf51f70089ccae7af9f58683a8a033250903d1339a9cb7c536c5396d00');
INSERT INTO "meta" VALUES('revision','7');
CREATE TABLE open_intents (sequence INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    status TEXT,
    summary TEXT NOT NULL DEFAULT '{}',
    error TEXT
);
INSERT INTO "runs" VALUES('20261129T143001Z-e07335','full','2026-11-29T14:30:01.765594Z','2026-11-29T14:30:02.048990Z','succeeded','{"applied":{"add_member":2,"create_group":1,"create_user":5},"failed":{},"held":{},"skipped":{}}',NULL);
INSERT INTO "runs" VALUES('20261129T143005Z-f4ad60','full','2026-11-29T14:30:05.587764Z','2026-11-29T14:30:05.745682Z','succeeded','{"applied":{"deactivate_user":1},"failed":{},"held":{},"skipped":{}}',NULL);
CREATE TABLE users (
    okta_id TEXT NOT NULL PRIMARY KEY,
    standing TEXT NOT NULL CHECK (standing IN ('active', 'inactive', 'frozen', 'absent')),
    wish TEXT NOT NULL,
    attributes TEXT NOT NULL,
    name_key TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    digest BLOB NOT NULL,
    revision INTEGER NOT NULL,
    left_at TEXT,
    released INTEGER NOT NULL DEFAULT 0,
    scim_id TEXT,
    pushed_attributes TEXT,
    pushed_active INTEGER,
    pushed_folded_name TEXT,
    unsettled INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN released THEN 0
            WHEN standing = 'frozen' THEN 1
            WHEN standing = 'active'
                THEN scim_id IS NULL OR NOT pushed_active OR attributes IS NOT pushed_attributes
            ELSE scim_id IS NOT NULL AND pushed_active
        END
    ) VIRTUAL
);
INSERT INTO "users" VALUES('00u000000007000040g4','active','["p00@example.com","p00@example.com","assigned directly",false]','{"displayName":"P 00","emails[work].value":"p00@example.com","name.familyName":"00","name.givenName":"P","userName":"p00@example.com"}','p00@example.com','p00@example.com',X'875396FDFE0A94B1E89CCE912CE9CFA7',1,NULL,0,'5c51054a-d163-4ce0-bb20-b0a6c5a5648a','{"displayName":"P 00","emails[work].value":"p00@example.com","name.familyName":"00","name.givenName":"P","userName":"p00@example.com"}',1,'p00@example.com');
INSERT INTO "users" VALUES('00u000000007000050g4','active','["p01@example.com","p01@example.com","assigned directly",false]','{"displayName":"P 01","emails[work].value":"p01@example.com","name.familyName":"01","name.givenName":"P","userName":"p01@example.com"}','p01@example.com','p01@example.com',X'A7816D2457B42C5A61F899AB8F666DD3',1,NULL,0,'21f57648-10ad-4c47-8e22-def6d4c972b4','{"displayName":"P 01","emails[work].value":"p01@example.com","name.familyName":"01","name.givenName":"P","userName":"p01@example.com"}',1,'p01@example.com');
INSERT INTO "users" VALUES('00u000000007000060g4','active','["p02@example.com","p02@example.com","assigned directly",false]','{"displayName":"P 02","emails[work].value":"p02@example.com","name.familyName":"02","name.givenName":"P","userName":"p02@example.com"}','p02@example.com','p02@example.com',X'2731D55F3829ACAF7D91066DD7DAF7AA',1,NULL,0,'5b2af03d-a077-424e-afbc-42d78213049e','{"displayName":"P 02","emails[work].value":"p02@example.com","name.familyName":"02","name.givenName":"P","userName":"p02@example.com"}',1,'p02@example.com');
INSERT INTO "users" VALUES('00u000000007000070g4','active','["p03@example.com","p03@example.com","assigned directly",false]','{"displayName":"P 03","emails[work].value":"p03@example.com","name.familyName":"03","name.givenName":"P","userName":"p03@example.com"}','p03@example.com','p03@example.com',X'B2AA1B082B0607B3672986D9F261CB5F',1,NULL,0,'16a33875-1347-4b5d-a79d-d03a9e57658c','{"displayName":"P 03","emails[work].value":"p03@example.com","name.familyName":"03","name.givenName":"P","userName":"p03@example.com"}',1,'p03@example.com');
INSERT INTO "users" VALUES('00u000000007000090g4','absent','["left@example.com","left@example.com","assigned directly",false]','{"displayName":"L eft","emails[work].value":"left@example.com","name.familyName":"eft","name.givenName":"L","userName":"left@example.com"}','left@example.com','left@example.com',X'',6,'2026-11-29T14:30:05.645630Z',0,'36237934-25db-487d-a90f-f5cd6631ca5b','{"displayName":"L eft","emails[work].value":"left@example.com","name.familyName":"eft","name.givenName":"L","userName":"left@example.com"}',0,'left@example.com');
CREATE TABLE writer (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    token TEXT NOT NULL,
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    born TEXT NOT NULL,
    since TEXT NOT NULL,
    expires TEXT NOT NULL
);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX users_wish ON users (okta_id, standing, revision, digest);
CREATE INDEX users_unsettled ON users (okta_id) WHERE unsettled = 1;
CREATE INDEX users_not_active ON users (okta_id) WHERE standing <> 'active';
CREATE INDEX users_name_key ON users (name_key);
CREATE INDEX users_folded_name ON users (folded_name);
CREATE UNIQUE INDEX users_scim_id ON users (scim_id) WHERE scim_id IS NOT NULL;
CREATE INDEX users_pushed_folded_name ON users (pushed_folded_name) WHERE pushed_folded_name IS NOT NULL;
CREATE UNIQUE INDEX groups_scim_id ON groups (scim_id) WHERE scim_id IS NOT NULL;
CREATE INDEX members_by_user ON members (user_id, group_id, listed, pushed);
CREATE INDEX members_open ON members (group_id, user_id) WHERE listed <> pushed;
CREATE UNIQUE INDEX journal_outcomes ON journal (refers) WHERE entry = 'outcome';
CREATE INDEX journal_applied ON journal (at, kind) WHERE applied = 1;
CREATE INDEX journal_runs ON journal (run_id);
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
WHEN OLD.sequence >= coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'journal_checkpoint'), 0)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_replace BEFORE INSERT ON journal
WHEN EXISTS (SELECT 1 FROM journal WHERE sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE INDEX runs_started ON runs (started);
CREATE INDEX hold_changes_by_change ON hold_changes (change_id);
CREATE INDEX decisions_by_change ON decisions (change_id);
CREATE INDEX journal_of_object ON journal (okta_id, sequence) WHERE entry = 'outcome';
CREATE INDEX journal_of_group ON journal (group_id, sequence) WHERE entry = 'outcome';
COMMIT;