package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"buzon/agent/internal/locale"
	"buzon/scripts/load/s3server"
)

// alsoAllowed is a write-only key with one permission more, as of a plain user
// without boundary or guard.
func alsoAllowed(actions ...string) func(s3server.Identity, string, string, string) bool {
	base := s3server.WriteOnly(inbox, prefix)
	return func(who s3server.Identity, action, bucket, key string) bool {
		for _, a := range actions {
			if action == a || a == "s3:*" {
				return true
			}
		}
		return base(who, action, bucket, key)
	}
}

// pattern turns the first line of a text into a pattern of what it says.
func pattern(words *locale.Printer, id string) *regexp.Regexp {
	line, _, _ := strings.Cut(words.Text(id), "\n")
	return regexp.MustCompile(regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(line), ".+"))
}

// Who tells that a key must not pass: the machine alone, before anybody is
// asked; the small server that speaks S3's and STS's answers; or besides it the
// local AWS, in the cases of the same names in scripts/aws/e2e/gate_test.go.
const (
	machine = "this machine"
	small   = "s3server"
	both    = "s3server, local AWS"
	nobody  = "nobody"
)

// refusal is one of them.
type refusal struct {
	name   string
	told   string // by whom; small unless named
	server s3server.Options
	host   func(*host)
	want   string // id of the sentence
	exit   int    // 3 unless named
	also   string // a pattern in the English text
	stored int    // objects that may stand in the bucket afterwards (the canary)
}

// refused are the keys, places and stores that must not pass, each with its
// own sentence.
var refused = []refusal{
	{name: "no credentials", told: machine, want: "credentials.none", host: func(h *host) { _ = os.Remove(h.file("credentials")) }, also: `scripts/issue-key NAME -o - \| ssh VM 'sudo install -m600 -o buzon /dev/stdin \S+/credentials'`},
	{name: "half an environment pair", told: machine, want: "credentials.half-pair", host: func(h *host) { h.t.Setenv("AWS_ACCESS_KEY_ID", s3server.Uploader.AccessKey) }, also: `AWS_SECRET_ACCESS_KEY`},
	{name: "the other half", told: machine, want: "credentials.half-pair", host: func(h *host) { h.t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.Uploader.Secret) }, also: `unset AWS_SECRET_ACCESS_KEY`},
	{name: "half a profile", told: machine, want: "credentials.half-profile", host: func(h *host) {
		h.write("credentials", "[default]\naws_access_key_id = AKIAUPLOADER00000001\n", 0o600)
	}},
	{name: "loose file rights", told: machine, want: "credentials.loose-file", host: func(h *host) { _ = os.Chmod(h.file("credentials"), 0o644) }, also: `chmod 600 .*credentials`},
	{name: "unknown profile", told: machine, want: "credentials.unknown-profile", host: func(h *host) { h.flags = []string{"--profile", "vm-09"} }},
	{name: "broken INI", told: machine, want: "credentials.broken-file", host: func(h *host) {
		h.write("credentials", "[default]\naws_access_key_id = AKIAUPLOADER00000001\naws_secret_access_key "+theSecret+"\n", 0o600)
	}, also: `credentials:3: `},
	{name: "credential_process that fails", told: machine, want: "credentials.process-failed", host: process("echo " + theSecret + "; echo " + theSecret + " >&2; exit 9"), also: `exit status 9`},
	{name: "credential_process that prints rubbish", told: machine, want: "credentials.process-rubbish", host: process("echo " + theSecret)},
	{name: "credential_process that hangs", told: machine, want: "credentials.process-hung", host: func(h *host) {
		was := processTimeout
		processTimeout = 300 * time.Millisecond
		h.t.Cleanup(func() { processTimeout = was })
		process("echo " + theSecret + "; sleep 600")(h)
	}, also: `within 300ms`},
	{name: "a credentials file that is a folder", told: machine, want: "credentials.unreadable-file", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		_ = os.Mkdir(h.file("credentials"), 0o700)
	}},
	{name: "a web identity without its token", told: machine, want: "credentials.unreadable-file", host: func(h *host) {
		h.t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", h.file("gone"))
		h.t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r")
		h.t.Setenv("AWS_REGION", "us-east-1")
	}, also: `ls -l \S+/gone`},
	{name: "a profile that asks for a person", told: machine, want: "credentials.bad-profile", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		h.write("config", "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = q\nmfa_serial = m\n[profile q]\ncredential_process = true\n", 0o600)
	}},
	{name: "a login that has ended", told: machine, want: "credentials.login-expired", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		h.write("config", "[default]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 111122223333\nsso_role_name = r\n", 0o600)
	}, also: `aws sso login`},
	{name: "a container that is not there", told: machine, want: "credentials.source-failed", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		h.t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/creds")
		h.t.Setenv("AWS_MAX_ATTEMPTS", "1")
	}, also: `the container's credentials endpoint\) gave none: it can't be reached`},
	{name: "a file that is a pipe", told: machine, want: "credentials.odd-file", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		_ = syscall.Mkfifo(h.file("credentials"), 0o600)
	}, also: `not a regular file`},
	{name: "a key with a line break", told: machine, want: "credentials.flawed-value", host: func(h *host) {
		h.t.Setenv("AWS_ACCESS_KEY_ID", s3server.Uploader.AccessKey+"\n")
		h.t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.Uploader.Secret)
	}, also: `AWS_ACCESS_KEY_ID holds a line break`},
	{name: "a secret with a letter that nobody sees", told: machine, want: "credentials.flawed-value", host: func(h *host) {
		h.write("credentials", "[default]\naws_access_key_id = AKIAUPLOADER00000001\naws_secret_access_key = "+theSecret+"\u200b\n", 0o600)
	}, also: `aws_secret_access_key \(\S+/credentials:3\) holds`},
	{name: "a profile in the other file's way", told: machine, want: "credentials.near-profile", host: func(h *host) {
		h.write("credentials", "[profile vm-09]\naws_access_key_id = AKIAUPLOADER00000001\n", 0o600)
		h.flags = []string{"--profile", "vm-09"}
	}, also: `credentials:1 has \[profile vm-09\]`},
	{name: "certificates that are not there", told: machine, want: "credentials.bad-bundle", host: func(h *host) { h.t.Setenv("AWS_CA_BUNDLE", "/nope.pem") },
		also: `AWS_CA_BUNDLE names /nope\.pem, and there is no such file`},
	{name: "a password in an address", told: machine, want: "credentials.bad-endpoint", host: func(h *host) {
		h.t.Setenv("AWS_ENDPOINT_URL_S3", "http://someone:"+theSecret+"@127.0.0.1:1")
	}, also: `AWS_ENDPOINT_URL_S3 is not an address that can be used: it holds a user or a password`},
	{name: "a role alone", told: machine, want: "credentials.role-alone", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		h.write("config", "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\n", 0o600)
	}},
	{name: "a role over keys that are not there", told: machine, want: "credentials.role-keyless", host: func(h *host) {
		_ = os.Remove(h.file("credentials"))
		h.write("config", "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\ncredential_source = Environment\n", 0o600)
	}},
	{name: "credential_process that leaves a child", told: machine, want: "credentials.process-child", host: func(h *host) {
		was := processTimeout
		processTimeout = 30 * time.Second
		h.t.Cleanup(func() { processTimeout = was })
		process("sleep 30 & echo " + theSecret)(h)
	}},
	{name: "no Region", told: machine, want: "credentials.no-region", host: func(h *host) {
		h.write("agent.yaml", "bucket: "+inbox+"\nprefix: "+prefix+"\n", 0o644)
	}},

	{name: "unknown key id", told: both, want: "gate.key-unknown", host: func(h *host) {
		h.key(s3server.Identity{AccessKey: "AKIAUNKNOWN000000001", Secret: theSecret})
	}, also: `InvalidClientTokenId`},
	{name: "inactive key", told: both, want: "gate.key-unknown", host: func(h *host) {
		id := s3server.Uploader
		id.Inactive = true
		h.server.SetIdentities(id)
	}, also: `deactivated`},
	{name: "wrong secret", told: both, want: "gate.wrong-secret", host: func(h *host) {
		h.key(s3server.Identity{AccessKey: s3server.Uploader.AccessKey, Secret: wrongSecret})
	}, also: `ssh VM 'sudo install -m600 -o \w+ /dev/stdin \S+/credentials'`},
	{name: "expired token", want: "gate.token-expired", host: func(h *host) {
		h.is(s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/vm/s", AccessKey: "ASIASESSION000000001", Secret: sessionSecret, Token: sessionToken, Expired: true})
	}},
	{name: "skewed clock", told: small, want: "gate.clock-refused", server: s3server.Options{Now: shifted(20 * time.Minute)}, also: `(20 min|19 min 59 s) slow`},
	{name: "skewed clock, no STS", want: "gate.clock-refused", server: s3server.Options{Now: shifted(-20 * time.Minute), NoSTS: true},
		host: func(h *host) { h.settings("identity:\n  method: list-buckets\n") }, also: `(20 min|19 min 59 s) fast, .*RequestTimeTooSkewed`},
	{name: "unknown key id, no STS", want: "gate.key-unknown", host: func(h *host) {
		h.settings("identity:\n  method: list-buckets\n")
		h.key(s3server.Identity{AccessKey: "AKIAUNKNOWN000000001", Secret: theSecret})
	}, also: `InvalidAccessKeyId`},
	{name: "wrong secret, no STS", want: "gate.wrong-secret", host: func(h *host) {
		h.settings("identity:\n  method: list-buckets\n")
		h.key(s3server.Identity{AccessKey: s3server.Uploader.AccessKey, Secret: wrongSecret})
	}, also: `SignatureDoesNotMatch`},
	{name: "expired token, no STS", want: "gate.token-expired", host: func(h *host) {
		h.settings("identity:\n  method: list-buckets\n")
		h.is(s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/vm/s", AccessKey: "ASIASESSION000000001", Secret: sessionSecret, Token: sessionToken, Expired: true})
	}, also: `ExpiredToken`},
	{name: "a wrong secret in the environment", want: "gate.wrong-secret", host: func(h *host) {
		h.t.Setenv("AWS_ACCESS_KEY_ID", s3server.Uploader.AccessKey)
		h.t.Setenv("AWS_SECRET_ACCESS_KEY", wrongSecret)
	}, also: `scripts/issue-key NAME\n`},
	{name: "root", want: "gate.root", host: func(h *host) {
		h.is(s3server.Identity{ARN: "arn:aws:iam::111122223333:root", UserID: "111122223333", AccessKey: "AKIAROOT000000000001", Secret: sessionSecret})
	}},
	{name: "wrong account", told: both, want: "gate.wrong-account", host: func(h *host) {
		h.is(s3server.Identity{ARN: "arn:aws:iam::999988887777:user/buzon/vm-01", AccessKey: "AKIAOTHER00000000001", Secret: sessionSecret})
	}, also: `999988887777.*111122223333`},
	{name: "wrong user", told: both, want: "gate.wrong-identity", host: func(h *host) {
		h.is(s3server.Identity{ARN: "arn:aws:iam::111122223333:user/buzon/vm-02", AccessKey: "AKIAOTHER00000000001", Secret: sessionSecret})
	}},
	{name: "a session of another role", want: "gate.wrong-identity", host: func(h *host) {
		h.settings("identity:\n  expect: arn:aws:iam::111122223333:role/buzon/vm-01\n")
		h.is(s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/vm-010/i-1", AccessKey: "ASIASESSION000000001", Secret: sessionSecret, Token: sessionToken})
	}},
	{name: "waits unattended for whatever key there is", want: "gate.expect-needed", host: func(h *host) { h.settings("identity:\n  on_problem: wait\n") },
		also: `expect: ` + vm01},
	{name: "a session token that is not the key's", want: "gate.token-bad", server: s3server.Options{NoSTS: true}, host: func(h *host) {
		h.settings("identity:\n  method: list-buckets\n")
		id := s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/vm/s", AccessKey: "ASIASESSION000000001", Secret: sessionSecret, Token: sessionToken}
		h.is(id)
		id.Token = "another-token"
		h.key(id)
	}},
	{name: "nobody says who, and somebody is expected", want: "gate.identity-unseen", host: func(h *host) { h.noSTS("identity:\n  expect: " + vm01 + "\n") }, also: `method: list-buckets`},

	{name: "wrong Region, the bucket's", want: "gate.wrong-region", server: s3server.Options{Buckets: []s3server.Bucket{{Name: inbox, Region: "eu-west-3"}}}, also: `agent check --region eu-west-3`},
	{name: "wrong Region, the signature's", want: "gate.wrong-region", server: s3server.Options{Region: "eu-west-3"}, also: `agent check --region eu-west-3`},
	{name: "missing bucket", told: both, want: "gate.no-bucket", server: s3server.Options{Buckets: []s3server.Bucket{{Name: "another"}}}},
	{name: "bucket of another owner", want: "gate.other-owner", server: s3server.Options{Buckets: []s3server.Bucket{{Name: inbox, Owner: "999988887777"}}}},
	{name: "bucket of another owner, who allows nothing", want: "gate.cannot-write-or-owner", server: s3server.Options{
		Buckets: []s3server.Bucket{{Name: inbox, Owner: "999988887777"}}, Allow: nothing}},
	{name: "may not write", want: "gate.cannot-write", server: s3server.Options{Allow: nothing}, host: func(h *host) { h.settings("") }},

	{name: "AmazonS3FullAccess", told: both, want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:*")}, stored: 1, also: `can do more than write: .*s3:GetObject.*s3:DeleteObject`},
	{name: "s3:GetObject more", told: both, want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:GetObject")}, stored: 1, also: `it has s3:GetObject\.`},
	{name: "s3:DeleteObject more", told: both, want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:DeleteObject")}, stored: 1, also: `it has s3:DeleteObject\.`},
	{name: "s3:DeleteObjectVersion more", want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:DeleteObjectVersion")}, stored: 1, also: `it has s3:DeleteObjectVersion\.`},
	{name: "s3:ListBucket more", told: both, want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:ListBucket")}, stored: 1, also: `it has s3:ListBucket\.`},
	{name: "s3:ListAllMyBuckets more", want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:ListAllMyBuckets")}, stored: 1, also: `it has s3:ListAllMyBuckets\.`},
	{name: "s3:PutObjectTagging more", want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:PutObjectTagging")}, stored: 1, also: `it has s3:PutObjectTagging\.`},
	{name: "s3:GetBucketPolicy more", want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:GetBucketPolicy")}, stored: 1, also: `it has s3:GetBucketPolicy\.`},
	{name: "PutObject on the whole bucket", told: both, want: "gate.beside-allowed", server: s3server.Options{Allow: s3server.WriteOnly(inbox, "")}, stored: 1, also: `agent audit-policy --user vm-01`},
	{name: "a known power without probes", want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:ListBucket")}, stored: 1,
		host: func(h *host) { h.flags = []string{"--no-probes"} }, also: `it has s3:ListBucket\.`},
	{name: "valid and too powerful, by ListBuckets", want: "gate.probe-allowed", server: s3server.Options{Allow: alsoAllowed("s3:ListAllMyBuckets")}, stored: 1,
		host: func(h *host) { h.settings("identity:\n  method: list-buckets\n  probes: false\n") }},

	{name: "a store that takes a wrong checksum", want: "gate.store-no-checksum", server: s3server.Options{Trust: true}, stored: 1},
	{name: "a store that replaces", want: "gate.store-no-condition", server: s3server.Options{NoIfs: true}, stored: 1},
	{name: "a KMS key that is disabled", want: "gate.kms", server: s3server.Options{Fault: canaryIs(400, "KMS.DisabledException")}, also: `kms:GenerateDataKey`},
	{name: "an account that is closed", want: "gate.account-closed", server: s3server.Options{Fault: canaryIs(403, "AllAccessDisabled")}},
	{name: "a Region that is switched off", want: "gate.region-disabled", server: s3server.Options{Fault: stsIs(403, "RegionDisabledException")}, also: `enable-region --region-name us-east-1`},
	{name: "STS that refuses to say who", want: "gate.identity-refused", server: s3server.Options{Fault: stsIs(403, "AccessDenied")}},
	{name: "an answer that nobody knows", want: "gate.unexpected", server: s3server.Options{Fault: canaryIs(418, "Teapot")}, also: `418 Teapot`},
	{name: "a store that does not know If-None-Match", want: "gate.store-lacks", server: s3server.Options{Fault: canaryIs(501, "NotImplemented")}, also: `501 NotImplemented.*In its own words: “as the test wants it”`},
	{name: "a store that takes no checksums", want: "gate.store-lacks", server: lacking(s3server.NoSums), also: `Header 'x-amz-checksum-crc64nvme' with value not implemented`},
	{name: "a store that takes a wrong trailer", want: "gate.store-no-trailer", server: lacking(s3server.NoTrailerSum), stored: 2},
	{name: "a store that joins under a wrong checksum", want: "gate.store-no-join", server: lacking(s3server.NoJoinSum), stored: 2},
	{name: "a store that joins over what stands", want: "gate.store-no-join-condition", server: lacking(s3server.NoJoinIfs), stored: 3},
	{name: "a store that joins nothing under a checksum", want: "gate.store-cant-join", server: lacking(s3server.NoJoin), stored: 1, also: `400 BadRequest`},
	{name: "a store without a canary, and files are deleted", want: "gate.store-off-removes", exit: 2, host: func(h *host) {
		h.settings("identity:\n  canary: false\noutboxes:\n  - path: " + h.file("box") + "\n    settle: delete\n")
	}},
	{name: "a store that is full", want: "gate.store-full", server: s3server.Options{Fault: canaryIs(507, "XMinioStorageFull")}, also: `507 XMinioStorageFull`},
	{name: "a quota that is used up", want: "gate.store-full", server: s3server.Options{Fault: canaryIs(403, "QuotaExceeded")}, also: `403 QuotaExceeded`},
	{name: "another code of 403", want: "gate.unexpected", server: s3server.Options{Fault: canaryIs(403, "SomethingOfItsOwn")}, also: `403 SomethingOfItsOwn.*In its own words: “as the test wants it”`},
	{name: "a Region that is not told", want: "gate.other-region", server: s3server.Options{Fault: canaryIs(400, "AuthorizationHeaderMalformed")}},
	{name: "a filter that answers with a page", want: "gate.not-the-store", server: s3server.Options{Fault: stranger(403)}, also: `HTTP 403\. .*In its own words: “403 Forbidden nginx`},
	{name: "a proxy that takes nothing so large", want: "gate.not-the-store", server: s3server.Options{Fault: stranger(413)}, also: `HTTP 413\. .*413 Request Entity Too Large`},
	{name: "a key that S3 does not know", want: "gate.key-unknown", server: s3server.Options{Fault: canaryIs(403, "InvalidAccessKeyId")}, also: `InvalidAccessKeyId`},
	{name: "a certificate that nobody trusts", told: nobody, want: "gate.unreachable", server: s3server.Options{TLS: true}, also: `its certificate is not trusted`},
	{name: "nobody there", told: nobody, want: "gate.unreachable", host: func(h *host) { h.server.Close() }, also: `curl -sSI http://127\.0\.0\.1`},
	{name: "a store that is busy", want: "gate.store-busy", server: s3server.Options{Fault: func(*s3server.Call) s3server.Fault { return s3server.Fault{Name: s3server.Internal} }}},
	{name: "on_conflict: replace in an append-only bucket", want: "gate.conflict-denied", exit: 2, stored: 1,
		server: s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
			if c.Op == s3server.PutObject && c.Header.Get("If-None-Match") == "" {
				return s3server.Fault{Name: s3server.Denied}
			}
			return s3server.Fault{}
		}}, host: func(h *host) { h.settings("on_conflict: replace\n") }},
	{name: "tags without the right to them", want: "gate.tags-denied", stored: 1, host: func(h *host) { h.settings("object:\n  tags: { team: billing }\n") },
		also: `needs s3:PutObjectTagging besides s3:PutObject`},
	{name: "tags without the right to them, beside a class", want: "gate.tags-denied", stored: 1, host: func(h *host) {
		h.settings("object:\n  storage_class: STANDARD_IA\n  tags: { team: billing }\n")
	}, also: `✓ storage_class +Nothing prevents storing objects as STANDARD_IA`},
	{name: "a storage class that a policy bars", want: "gate.class-denied", stored: 1, server: s3server.Options{Fault: classIs(403, "AccessDenied")},
		host: func(h *host) { h.settings("object:\n  storage_class: GLACIER\n") }},
	{name: "a storage class that the store does not have", want: "gate.class-unknown", exit: 2, stored: 1, server: s3server.Options{Fault: classIs(400, "InvalidStorageClass")},
		host: func(h *host) { h.settings("object:\n  storage_class: GLACIER\n") }, also: `no storage class GLACIER`},
}

// lacking is a server that is not as S3 is.
func lacking(l ...s3server.Lack) s3server.Options { return s3server.Options{Lacks: l} }

// stranger answers every PUT with the page of a proxy.
func stranger(status int) func(*s3server.Call) s3server.Fault {
	return func(c *s3server.Call) s3server.Fault {
		for _, answer := range s3server.Stranges() {
			if c.Op == s3server.PutObject && answer.Status == status {
				return s3server.Fault{Name: s3server.Stranger, Raw: answer.Raw}
			}
		}
		return s3server.Fault{}
	}
}

// classIs answers every PUT that names a storage class so.
func classIs(status int, code string) func(*s3server.Call) s3server.Fault {
	return func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.PutObject && c.Header.Get("X-Amz-Storage-Class") != "" {
			return s3server.Fault{Name: s3server.Refuse, Status: status, Code: code}
		}
		return s3server.Fault{}
	}
}

// canaryIs answers every PUT of the canary so, and stsIs every question to STS.
func canaryIs(status int, code string) func(*s3server.Call) s3server.Fault {
	return func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.PutObject && c.Key == prefix+".buzon/canary" {
			return s3server.Fault{Name: s3server.Refuse, Status: status, Code: code}
		}
		return s3server.Fault{}
	}
}

func stsIs(status int, code string) func(*s3server.Call) s3server.Fault {
	return func(c *s3server.Call) s3server.Fault {
		if c.Op == s3server.Other {
			return s3server.Fault{Name: s3server.Refuse, Status: status, Code: code}
		}
		return s3server.Fault{}
	}
}

func nothing(s3server.Identity, string, string, string) bool { return false }

func shifted(d time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(d) }
}

func process(script string) func(*host) {
	return func(h *host) {
		_ = os.Remove(h.file("credentials"))
		h.write("config", "[default]\ncredential_process = sh -c '"+script+"'\n", 0o600)
	}
}

// is makes the server know this identity and no other, and the host hold it.
func (h *host) is(id s3server.Identity) {
	h.server.SetIdentities(id)
	h.key(id)
}

// noSTS leaves S3 its endpoint and STS none.
func (h *host) noSTS(more string) {
	h.t.Setenv("AWS_ENDPOINT_URL", "")
	_ = os.Unsetenv("AWS_ENDPOINT_URL")
	h.settings("endpoint: " + h.server.URL + "\n" + more)
}

func TestWhatMustNotPassIsRefusedWithItsOwnSentence(t *testing.T) {
	said := map[string]string{} // the sentence, and the case that it belongs to
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			if c.told == "" {
				c.told = small
			}
			h := newHost(t, c.server)
			if c.host != nil {
				c.host(h)
			}
			if c.exit == 0 {
				c.exit = int(notPassed)
			}
			for _, lang := range locale.Languages {
				code, out, errs := h.check(lang)
				if code != c.exit {
					t.Errorf("%s: exit %d, want %d\n%s%s", lang, code, c.exit, out, errs)
				}
				if !pattern(locale.Load(lang), c.want).MatchString(out) {
					t.Errorf("%s: %s is not said:\n%s%s", lang, c.want, out, errs)
				}
				if lang == "en" && c.also != "" && !regexp.MustCompile(c.also).MatchString(out) {
					t.Errorf("%q is not said:\n%s", c.also, out)
				}
				if strings.ContainsAny(out, "{}") || strings.Contains(out, "[gate.") || strings.Contains(out, " –\n") {
					t.Errorf("%s: an argument or a text is missing:\n%s", lang, out)
				}
				mustNotTell(t, lang+": check", out+errs)
				own := strings.ReplaceAll(ownSentence(t, locale.Load(lang), out), h.home, "HOME")
				if other, ok := said[own]; ok && slices.Contains(listed, c.name) {
					t.Errorf("%s: %q is what is said of %s too", lang, own, other)
				}
				if slices.Contains(listed, c.name) {
					said[own] = c.name
				}
			}
			if n := len(h.server.Objects(inbox)); n > c.stored {
				t.Errorf("%d objects were left behind: %v", n, h.server.Objects(inbox))
			}
			if n := len(h.server.Versions(inbox)); n > c.stored && !strings.HasPrefix(c.want, "gate.store-no-") {
				t.Errorf("%d versions were left behind: %v", n, h.server.Versions(inbox))
			}
			if asked := h.server.Stats().Requests > 0; asked == (c.told == machine || c.told == nobody) {
				t.Errorf("a server was asked: %t; it is told by %s", asked, c.told)
			}
		})
	}
}

// ownSentence is what was said against the key: all that it can do too much,
// or else the first sentence, without its mark, name and exchange.
func ownSentence(t *testing.T, words *locale.Printer, out string) string {
	t.Helper()
	if all := pattern(words, "check.overpowered").FindString(out); all != "" {
		return all
	}
	for line := range strings.Lines(out) {
		if _, text, ok := strings.Cut(line, "✗ "); ok {
			text, _, _ = strings.Cut(text, " [")
			_, text, _ = strings.Cut(text, "  ")
			return strings.TrimSpace(text)
		}
	}
	t.Errorf("nothing is marked ✗:\n%s", out)
	return ""
}

// listed are the cases of the issue that owe each other another sentence; an
// inactive key has none of its own, for AWS answers it as one that never was.
var listed = []string{
	"no credentials", "half an environment pair", "unknown key id", "wrong secret", "expired token", "root",
	"wrong account", "wrong user", "skewed clock", "loose file rights", "unknown profile", "broken INI",
	"credential_process that fails", "credential_process that hangs", "credential_process that prints rubbish",
	"wrong Region, the bucket's", "missing bucket", "bucket of another owner", "AmazonS3FullAccess", "s3:GetObject more",
	"s3:DeleteObject more", "s3:ListBucket more", "PutObject on the whole bucket",
}

func TestEveryBadKeyOfTheListIsInTheTable(t *testing.T) {
	for _, name := range append([]string{"inactive key"}, listed...) {
		if !slices.ContainsFunc(refused, func(c refusal) bool { return c.name == name }) {
			t.Errorf("%s is not tried", name)
		}
	}
}

// toldElsewhere are the sentences with a remedy that no case of the table says.
var toldElsewhere = map[string]string{
	"credentials.environment-wins":  "below, a warning",
	"credentials.slow-files":        "in client, by the end of its context",
	"gate.source-ended":             "in gate, a warning",
	"gate.proxy-malformed":          "in a story of its own: a process reads its proxies once",
	"credentials.profile-wins":      "below, a warning",
	"gate.clock-off":                "below, a warning",
	"gate.expect-absent":            "below, no fault",
	"gate.clock-wrong":              "beside gate.clock-refused, and in gate",
	"gate.key-revoked":              "in gate, and under load",
	"gate.new-key-unknown":          "in gate, and under load",
	"gate.probe-marker":             "in gate",
	"gate.probe-unanswered":         "in gate",
	"gate.bad-bucket":               "the configuration refuses such a name before",
	"gate.machine":                  "in client, by the system's own errors",
	"gate.store-off":                "below, a warning",
	"gate.store-unproven-checksum":  "in gate",
	"gate.store-unproven-trailer":   "in gate",
	"gate.store-unproven-condition": "in gate",
	"gate.store-unproven-join":      "in gate",
	"gate.store-unproven-join-over": "in gate",
}

func TestEverySentenceIsTold(t *testing.T) {
	for line := range strings.Lines(messages(t, "en")) {
		said := strings.TrimPrefix(line, "| ")
		if slices.ContainsFunc(refused, func(c refusal) bool { return beginsAs(c.want, said) }) {
			continue
		}
		told := false
		for id := range toldElsewhere {
			told = told || beginsAs(id, said)
		}
		if !told {
			t.Errorf("no case says %q", said)
		}
	}
}

// beginsAs tells whether the text of the id is the one that begins so.
func beginsAs(id, said string) bool {
	return pattern(locale.Load("en"), id).MatchString(said) && strings.HasPrefix(said, strings.SplitN(strings.SplitN(locale.Load("en").Text(id), "\n", 2)[0], "{", 2)[0])
}

func TestWhatIsInOrderPasses(t *testing.T) {
	session := s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/vm-01/i-0123", AccessKey: "ASIASESSION000000001", Secret: sessionSecret, Token: sessionToken}
	for _, c := range []struct {
		name   string
		server s3server.Options
		host   func(*host)
		want   []string // patterns in the English text
		not    string
	}{
		{name: "any session of the expected role", host: func(h *host) {
			h.settings("identity:\n  expect: arn:aws:iam::111122223333:role/buzon/vm-01\n")
			h.is(session)
		}, want: []string{`✓ expected`}},
		{name: "nobody in particular is expected", host: func(h *host) { h.settings("") }, want: []string{`– expected`, `expect: ` + vm01}},
		{name: "a role in particular is not expected", host: func(h *host) { h.settings(""); h.is(session) },
			want: []string{`expect: arn:aws:iam::111122223333:role/vm-01`}},
		{name: "list-buckets is written", server: s3server.Options{NoSTS: true}, host: func(h *host) {
			h.settings("identity:\n  method: list-buckets\n  expect: " + vm01 + "\n")
		}, want: []string{`– expected .*identity: not verified`, `s3:ListAllMyBuckets → 403 AccessDenied`}},
		{name: "an endpoint without STS asks nobody else", host: func(h *host) { h.noSTS("") }, want: []string{`identity: not verified`, `STS at –`}},
		{name: "a clock that is a little wrong", server: s3server.Options{Now: shifted(7 * time.Minute)}, want: []string{`! clock`, `(7 min|6 min 59 s) slow`}},
		{name: "too powerful, and only warned of", server: s3server.Options{Allow: alsoAllowed("s3:GetObject")}, host: func(h *host) {
			h.settings("identity:\n  overpowered: warn\n")
		}, want: []string{`! probe +.*it has s3:GetObject`, `passed, with warnings`}},
		{name: "without the canary nothing is written and reading is not proven", host: func(h *host) { h.flags = []string{"--no-canary"} },
			want: []string{`– canary`, `! store +\S+ is not AWS, and with canary: false`, `– probe +Not proven \(s3:GetObject\)`}},
		{name: "without probes", host: func(h *host) { h.flags = []string{"--no-probes"} }, want: []string{`– probes`}, not: `GetObject`},
		{name: "the whole bucket is the prefix", server: s3server.Options{Allow: s3server.WriteOnly(inbox, "")}, host: func(h *host) {
			h.write("agent.yaml", "bucket: "+inbox+"\nprefix: /\nregion: us-east-1\n", 0o644)
		}, want: []string{`– probe +There is nothing beside`}},
		{name: "on_conflict: replace where it can work", host: func(h *host) { h.settings("on_conflict: replace\n") }, want: []string{`✓ on_conflict`}},
		{name: "tags, with the right that they need", server: s3server.Options{Allow: alsoAllowed("s3:PutObjectTagging")}, host: func(h *host) {
			h.settings("object:\n  storage_class: STANDARD_IA\n  tags: { team: billing }\n")
		}, want: []string{`✓ object\.tags +Objects may carry tags`, `✓ storage_class +.*needs no permission besides`}, not: `can do more`},
		{name: "tags and a class without the canary", host: func(h *host) {
			h.settings("object:\n  storage_class: STANDARD_IA\n  tags: { team: billing }\n")
			h.flags = []string{"--no-canary"}
		}, want: []string{`– object\.tags +.*needs s3:PutObjectTagging`, `– storage_class`}},
		{name: "neither tags nor a class", not: `object\.tags|storage_class`},
		{name: "the environment beats the default profile", host: func(h *host) {
			h.t.Setenv("AWS_ACCESS_KEY_ID", s3server.Uploader.AccessKey)
			h.t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.Uploader.Secret)
		}, want: []string{`! environment`, `from the environment`, `take precedence over profile default`}},
		{name: "outboxes, and how a writer is seen in them", host: func(h *host) {
			if err := os.Mkdir(h.file("box"), 0o700); err != nil {
				h.t.Fatal(err)
			}
			h.write("file", "", 0o600)
			h.settings("key: \"{outbox}/{path}\"\noutboxes:\n  - path: " + h.file("box") + "\n    quiet: 7s\n  - path: " + h.file("gone") + "\n  - path: " + h.file("file") + "\n")
		}, want: []string{`✓ outbox +\S+/box: .*rested for 7 s`, `! outbox +\S+/gone is not there now`, `mkdir -p \S+/gone`, `! outbox +\S+/file is not a folder`}},
		{name: "an overpowered key", server: s3server.Options{Allow: s3server.WriteOnly(inbox, "")}, host: func(h *host) {
			h.settings("identity:\n  overpowered: warn\n")
		}, want: []string{`can do more than write: s3:PutObject outside its prefix\.`}},
		{name: "the address and the way to it", want: []string{`✓ address +Not AWS's own address: S3 at http://127`, `✓ proxy +None is used: straight to http://127`}},
		{name: "a named profile beats the environment", host: func(h *host) {
			h.t.Setenv("AWS_ACCESS_KEY_ID", "AKIASOMEBODY00000001")
			h.t.Setenv("AWS_SECRET_ACCESS_KEY", wrongSecret)
			h.write("config", "[profile vm]\naws_access_key_id = "+s3server.Uploader.AccessKey+"\naws_secret_access_key = "+theSecret+"\n", 0o600)
			h.flags = []string{"--profile", "vm"}
		}, want: []string{`! environment`, `they are not used, because the configuration names profile vm`}},
		{name: "a checksum that is not echoed is no fault", server: s3server.Options{NoEcho: true}, want: []string{`✓ store`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, c.server)
			if c.host != nil {
				c.host(h)
			}
			code, out, errs := h.check("en")
			if code != 0 {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
			for _, want := range c.want {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("%q is not said:\n%s", want, out)
				}
			}
			if c.not != "" && regexp.MustCompile(c.not).MatchString(out) {
				t.Errorf("%q is said:\n%s", c.not, out)
			}
			if strings.Contains(out, "{") {
				t.Errorf("an argument is missing:\n%s", out)
			}
		})
	}
}
