package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

const (
	testID     = "AKIATESTTESTTESTWXYZ"
	testSecret = "SeCrEtSeCrEtSeCrEtSeCrEtSeCrEt/+canaryXY"
)

// bare gives a test an environment without credentials and a home of its own.
func bare(t *testing.T) (home string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") || name == "CREDENTIALS_DIRECTORY" {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, "credentials"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return home
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// retrieve goes the whole way that client.Load goes.
func retrieve(t *testing.T, profile string, timeout time.Duration) (*Credentials, error) {
	t.Helper()
	c, err := FindCredentials(profile, timeout)
	if err != nil {
		return nil, err
	}
	options, err := c.Options(t.Context())
	if err != nil {
		return c, err
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		return c, err
	}
	_, err = c.Retrieve(t.Context(), cfg.Credentials)
	return c, err
}

func keys(profile string) string {
	return "[" + profile + "]\naws_access_key_id = " + testID + "\naws_secret_access_key = " + testSecret + "\n"
}

// besides is an environment that has whole keys, and a variable that is told of.
func besides(name, value string) map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": testID, "AWS_SECRET_ACCESS_KEY": testSecret, name: value}
}

func code(want string) func(*CredentialsError) bool {
	return func(e *CredentialsError) bool { return e.Code == want }
}

func flawIs(variable, want string) func(*CredentialsError) bool {
	return func(e *CredentialsError) bool { return e.Variable == variable && e.Code == want }
}

func TestProblemsOfCredentialsAreNamedBeforeAnythingIsSent(t *testing.T) {
	for _, c := range []struct {
		name, profile, credentials, config string
		mode                               os.FileMode
		env                                map[string]string
		want                               Problem
		check                              func(*CredentialsError) bool
	}{
		{name: "none", want: NoCredentials, check: func(e *CredentialsError) bool { return strings.Contains(e.Places, "credentials") }},
		{name: "id without secret", env: map[string]string{"AWS_ACCESS_KEY_ID": testID}, want: HalfPair,
			check: func(e *CredentialsError) bool { return e.Missing == "AWS_SECRET_ACCESS_KEY" }},
		{name: "secret without id", env: map[string]string{"AWS_SECRET_ACCESS_KEY": testSecret}, credentials: keys("default"), want: HalfPair,
			check: func(e *CredentialsError) bool { return e.Missing == "AWS_ACCESS_KEY_ID" }},
		{name: "readable by the group", credentials: keys("default"), mode: 0o640, want: LooseFile,
			check: func(e *CredentialsError) bool { return e.Mode == "0640" }},
		{name: "readable by others", credentials: keys("default"), mode: 0o604, want: LooseFile},
		{name: "keys in a readable config file", config: keys("default"), mode: 0o644, want: LooseFile},
		{name: "unknown profile", profile: "vm-02", credentials: keys("default"), want: UnknownProfile},
		{name: "unknown profile by environment", env: map[string]string{"AWS_PROFILE": "vm-02"}, credentials: keys("default"), want: UnknownProfile},
		{name: "unknown source profile", profile: "p", config: "[profile p]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = gone\n", want: UnknownProfile},
		{name: "broken header", credentials: "# mine\n[default\naws_access_key_id = x\n", want: BrokenFile,
			check: func(e *CredentialsError) bool { return e.Line == 2 }},
		{name: "a line that is no line", credentials: keys("default") + testSecret[:9] + "\n", want: BrokenFile,
			check: func(e *CredentialsError) bool { return e.Line == 4 && !strings.Contains(e.Error(), testSecret[:9]) }},
		{name: "byte order mark", credentials: "\ufeff" + keys("default"), want: BrokenFile,
			check: func(e *CredentialsError) bool { return e.Line == 1 && e.Code == "mark" }},
		{name: "UTF-16", credentials: "\xff\xfe[\x00d\x00", want: BrokenFile, check: code("utf-16")},
		{name: "UTF-16 without a mark", credentials: "[\x00d\x00", want: BrokenFile, check: code("utf-16")},
		{name: "indented keys", credentials: "[default]\n  aws_access_key_id = x\n", want: BrokenFile,
			check: func(e *CredentialsError) bool { return e.Line == 2 && e.Code == "indented" }},
		{name: "lines of a shell", credentials: "export AWS_ACCESS_KEY_ID=" + testID + "\n", want: BrokenFile, check: code("shell")},
		{name: "lines of a shell, in a section", credentials: "[default]\nexport AWS_ACCESS_KEY_ID=" + testID + "\n", want: BrokenFile, check: code("shell")},

		{name: "a profile in the other file's way", profile: "x", credentials: keys("profile x"), want: NearProfile,
			check: func(e *CredentialsError) bool { return e.Line == 1 && e.Missing == "profile x" }},
		{name: "a profile without the word", profile: "x", config: "\n[x]\nregion = eu-west-1\n", want: NearProfile,
			check: func(e *CredentialsError) bool { return e.Line == 2 && e.Missing == "x" }},
		{name: "a profile in other letters", profile: "vm", credentials: keys("VM"), want: NearProfile},
		{name: "a profile behind a value", profile: "vm", credentials: strings.TrimSpace(keys("default")) + "[vm]\n", want: NearProfile,
			check: func(e *CredentialsError) bool {
				return e.Line == 3 && e.Missing == "vm" && !strings.Contains(e.Error(), testSecret)
			}},
		{name: "default in the other file's way", credentials: keys("profile default"), want: NearProfile},
		{name: "default in other letters", credentials: keys("Default"), want: NearProfile},

		{name: "a key with a line break", env: besides("AWS_ACCESS_KEY_ID", testID+"\n"), want: FlawedValue, check: flawIs("AWS_ACCESS_KEY_ID", "line")},
		{name: "a secret with a carriage return", env: besides("AWS_SECRET_ACCESS_KEY", testSecret+"\r"), want: FlawedValue, check: flawIs("AWS_SECRET_ACCESS_KEY", "line")},
		{name: "a token with a line break", env: besides("AWS_SESSION_TOKEN", "tok\nen"), want: FlawedValue, check: flawIs("AWS_SESSION_TOKEN", "line")},
		{name: "a Region with a line break", env: besides("AWS_REGION", "us-east-1\n"), want: FlawedValue, check: flawIs("AWS_REGION", "line")},
		{name: "a key in quotes", env: besides("AWS_ACCESS_KEY_ID", "'"+testID+"'"), want: FlawedValue, check: flawIs("AWS_ACCESS_KEY_ID", "quotes")},
		{name: "a key with a space", env: besides("AWS_ACCESS_KEY_ID", testID+" "), want: FlawedValue, check: flawIs("AWS_ACCESS_KEY_ID", "space")},
		{name: "a key with a hidden letter", env: besides("AWS_ACCESS_KEY_ID", "\ufeff"+testID), want: FlawedValue, check: flawIs("AWS_ACCESS_KEY_ID", "letters")},
		{name: "a key with a control character", env: besides("AWS_ACCESS_KEY_ID", "\x1b[1m"+testID), want: FlawedValue, check: flawIs("AWS_ACCESS_KEY_ID", "control")},
		{name: "a secret with a no-break space in the file", credentials: strings.TrimSpace(keys("default")) + "\u00a0x\n", want: FlawedValue,
			check: func(e *CredentialsError) bool {
				return e.Line == 3 && e.Code == "letters" && e.Variable == "aws_secret_access_key"
			}},
		{name: "a Region of the profile with a comment", credentials: keys("default"), config: "[default]\nregion = eu west\n", want: FlawedValue, check: flawIs("region", "space")},

		{name: "certificates that are not there", env: besides("AWS_CA_BUNDLE", "/nonexistent.pem"), want: BadBundle, check: flawIs("AWS_CA_BUNDLE", "missing")},
		{name: "certificates of a shell's home", credentials: keys("default"), config: "[default]\nca_bundle = ~/corp.pem\n", want: BadBundle, check: flawIs("ca_bundle", "tilde")},
		{name: "certificates that are a folder", env: besides("AWS_CA_BUNDLE", "/tmp"), want: BadBundle, check: flawIs("AWS_CA_BUNDLE", "folder")},
		{name: "certificates that are none", env: besides("AWS_CA_BUNDLE", "/etc/hostname"), want: BadBundle, check: flawIs("AWS_CA_BUNDLE", "certificate")},
		{name: "certificates that never end", env: besides("AWS_CA_BUNDLE", "/dev/zero"), want: BadBundle, check: flawIs("AWS_CA_BUNDLE", "kind")},
		{name: "no certificates at all", env: besides("AWS_CA_BUNDLE", os.DevNull), want: BadBundle, check: flawIs("AWS_CA_BUNDLE", "empty")},

		{name: "a password in an address", env: besides("AWS_ENDPOINT_URL", "http://u:"+testSecret+"@h:1"), want: BadEndpoint, check: flawIs("AWS_ENDPOINT_URL", "user")},
		{name: "a user in an address", env: besides("AWS_ENDPOINT_URL_S3", "http://u@h"), want: BadEndpoint, check: flawIs("AWS_ENDPOINT_URL_S3", "user")},
		{name: "a password in an address that is none", env: besides("AWS_ENDPOINT_URL_STS", "http://u:a b@h"), want: BadEndpoint, check: flawIs("AWS_ENDPOINT_URL_STS", "user")},
		{name: "an address without a scheme", env: besides("AWS_ENDPOINT_URL", "localhost:9000"), want: BadEndpoint, check: flawIs("AWS_ENDPOINT_URL", "scheme")},
		{name: "an address without a host", env: besides("AWS_ENDPOINT_URL", "http://"), want: BadEndpoint, check: flawIs("AWS_ENDPOINT_URL", "host")},
		{name: "an address with half a port", env: besides("AWS_ENDPOINT_URL", "http://h:"), want: BadEndpoint, check: flawIs("AWS_ENDPOINT_URL", "host")},
		{name: "a password in a profile's address", credentials: keys("default"), config: "[default]\nendpoint_url = http://u:" + testSecret + "@h\n", want: BadEndpoint, check: flawIs("endpoint_url", "user")},

		{name: "a role alone", config: "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\n", want: RoleAlone},
		{name: "a role over keys that are not there", config: "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\ncredential_source = Environment\n", want: RoleKeyless},
		{name: "half a profile", credentials: "[default]\naws_access_key_id = " + testID + "\n", want: HalfProfile},
		{name: "a role that wants a person", profile: "p", config: "[profile p]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = q\nmfa_serial = m\n[profile q]\ncredential_process = true\n", want: BadProfile},
		{name: "process that fails", config: "[default]\ncredential_process = sh -c 'echo " + testSecret + " >&2; echo " + testSecret + "; exit 7'\n", want: ProcessFailed,
			check: func(e *CredentialsError) bool { return e.Code == "7" }},
		{name: "process that is not there", config: "[default]\ncredential_process = /nonexistent/signer\n", want: ProcessFailed,
			check: func(e *CredentialsError) bool { return e.Code == "127" }},
		{name: "process that hangs", config: "[default]\ncredential_process = sleep 600\n", want: ProcessHung},
		{name: "process whose child hangs", config: "[default]\ncredential_process = sh -c 'sleep 600 | cat'\n", want: ProcessHung},
		{name: "process that prints rubbish", config: "[default]\ncredential_process = echo " + testSecret + "\n", want: ProcessRubbish},
		{name: "process of another version", config: "[default]\ncredential_process = echo '{\"Version\":2}'\n", want: ProcessRubbish},
		{name: "process without a secret", config: "[default]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"" + testID + "\"}'\n", want: ProcessRubbish},
		{name: "process below a role", profile: "p", config: "[profile p]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = q\nregion = eu-west-1\n[profile q]\ncredential_process = echo " + testSecret + "\n", want: ProcessRubbish},
		{name: "web identity without its token", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token", "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/r", "AWS_REGION": "eu-west-1"}, want: UnreadableFile,
			check: func(e *CredentialsError) bool { return e.File == "/nonexistent/token" }},
		{name: "a login that never was", config: "[default]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 111122223333\nsso_role_name = r\n", want: LoginExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := bare(t)
			if c.mode == 0 {
				c.mode = 0o600
			}
			if c.credentials != "" {
				write(t, filepath.Join(home, "credentials"), c.credentials, c.mode)
			}
			if c.config != "" {
				write(t, filepath.Join(home, "config"), c.config, c.mode)
			}
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			_, err := retrieve(t, c.profile, 300*time.Millisecond)
			var e *CredentialsError
			if !errors.As(err, &e) || e.Problem != c.want {
				t.Fatalf("got %v, want the problem %s", err, c.want)
			}
			if c.check != nil && !c.check(e) {
				t.Errorf("wrong particulars: %+v", e)
			}
			for _, text := range append([]string{e.Error()}, values(e.Args())...) {
				if strings.Contains(text, testSecret) || strings.Contains(text, testID) {
					t.Errorf("the error tells a secret: %s", text)
				}
			}
		})
	}
}

func values(m map[string]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

func TestTheSourceIsNamedAndFourCharactersOfTheKey(t *testing.T) {
	answer := `{"Version":1,"AccessKeyId":"ASIA0000000000005678","SecretAccessKey":"` + testSecret + `","SessionToken":"t","Expiration":"2100-01-01T00:00:00Z"}`
	for _, c := range []struct {
		name, profile, credentials, config string
		env                                map[string]string
		want                               Source
		trap                               Problem
	}{
		{name: "aws configure", credentials: keys("default"), config: "[default]\nregion = eu-west-1\n",
			want: Source{Kind: SourceFile, File: "credentials", Profile: "default", Key: "WXYZ"}},
		{name: "named profile", profile: "vm-01", credentials: keys("default") + keys("vm-01"),
			want: Source{Kind: SourceFile, File: "credentials", Profile: "vm-01", Key: "WXYZ"}},
		{name: "environment", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA0000000000001234", "AWS_SECRET_ACCESS_KEY": testSecret},
			want: Source{Kind: SourceEnvironment, Key: "1234"}},
		{name: "environment beats default", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA0000000000001234", "AWS_SECRET_ACCESS_KEY": testSecret},
			credentials: keys("default"), want: Source{Kind: SourceEnvironment, Key: "1234"}, trap: EnvironmentWins},
		{name: "environment beats AWS_PROFILE", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA0000000000001234", "AWS_SECRET_ACCESS_KEY": testSecret, "AWS_PROFILE": "x"},
			credentials: keys("x"), want: Source{Kind: SourceEnvironment, Key: "1234"}, trap: EnvironmentWins},
		{name: "a named profile beats the environment", profile: "vm-01", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA0000000000001234", "AWS_SECRET_ACCESS_KEY": testSecret},
			credentials: keys("vm-01"), want: Source{Kind: SourceFile, File: "credentials", Profile: "vm-01", Key: "WXYZ"}, trap: ProfileWins},
		{name: "process", profile: "p", config: "[profile p]\ncredential_process = echo '" + answer + "'\n",
			want: Source{Kind: SourceProcess, File: "config", Profile: "p", Key: "5678", Temporary: true, Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{name: "process in a shell", profile: "p", config: "[profile p]\ncredential_process = printf '%s' '" + answer + "' | cat\n",
			want: Source{Kind: SourceProcess, File: "config", Profile: "p", Key: "5678", Temporary: true, Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := bare(t)
			if c.credentials != "" {
				write(t, filepath.Join(home, "credentials"), c.credentials, 0o600)
			}
			if c.config != "" {
				write(t, filepath.Join(home, "config"), c.config, 0o600)
			}
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			found, err := retrieve(t, c.profile, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.File != "" {
				c.want.File = filepath.Join(home, c.want.File)
			}
			found.Source.Owner, found.Source.Mode = "", ""
			if found.Source != c.want {
				t.Errorf("got %+v, want %+v", found.Source, c.want)
			}
			var trap Problem
			if len(found.Traps) > 0 {
				trap = found.Traps[0].Problem
			}
			if trap != c.trap {
				t.Errorf("trap %q, want %q", trap, c.trap)
			}
		})
	}
}

// The sources that only the network can give are named before it is asked.
func TestEveryLinkOfTheChainIsNamed(t *testing.T) {
	const role = "role_arn = arn:aws:iam::111122223333:role/r\n"
	for _, c := range []struct {
		name, config string
		env          map[string]string
		want         SourceKind
	}{
		{name: "nothing at all", want: SourceInstance},
		{name: "a container", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/c"}, want: SourceContainer},
		{name: "a container, by its address", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/c"}, want: SourceContainer},
		{name: "a web identity", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn"}, want: SourceWebIdentity},
		{name: "a web identity of a profile", config: role + "web_identity_token_file = /t\n", want: SourceWebIdentity},
		{name: "single sign-on", config: "sso_session = s\nsso_account_id = 111122223333\nsso_role_name = r\n", want: SourceSSO},
		{name: "single sign-on of old", config: "sso_start_url = https://example.awsapps.com/start\n", want: SourceSSO},
		{name: "a console login", config: "login_session = arn\n", want: SourceLogin},
		{name: "a process", config: "credential_process = true\n", want: SourceProcess},
		{name: "a role on top of the instance's", config: role + "credential_source = Ec2InstanceMetadata\n", want: SourceRole},
		{name: "a role on top of another profile", config: role + "source_profile = base\n[profile base]\ncredential_process = true\n", want: SourceRole},
		{name: "keys before a process", config: "aws_access_key_id = " + testID + "\naws_secret_access_key = " + testSecret + "\ncredential_process = true\n", want: SourceFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := bare(t)
			write(t, filepath.Join(home, "config"), "[default]\n"+c.config, 0o600)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			found, err := FindCredentials("", 0)
			if err != nil || found.Source.Kind != c.want {
				t.Errorf("got %+v, %v", found, err)
			}
		})
	}
}

func TestFilesHandedOverBySystemdAreExempt(t *testing.T) {
	home := bare(t)
	write(t, filepath.Join(home, "credentials"), keys("default"), 0o640)
	t.Setenv("CREDENTIALS_DIRECTORY", home)
	if _, err := retrieve(t, "", time.Second); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(home, "elsewhere"))
	var e *CredentialsError
	if _, err := retrieve(t, "", time.Second); !errors.As(err, &e) || e.Problem != LooseFile {
		t.Fatalf("got %v", err)
	}
}

func TestACancelledRetrieveIsNoFaultOfTheCredentials(t *testing.T) {
	home := bare(t)
	write(t, filepath.Join(home, "config"), "[default]\ncredential_process = sleep 600\n", 0o600)
	c, err := FindCredentials("", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	options, err := c.Options(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Retrieve(ctx, cfg.Credentials); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func FuzzParseShared(f *testing.F) {
	f.Add([]byte(keys("default")))
	f.Add([]byte("[profile a b] # c\ns3 =\n  max = 3\n; x\n[x]#y\nk: v"))
	f.Add([]byte("[]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sections, broken := parseShared(data)
		if (sections == nil) != (broken != nil) {
			t.Fatalf("either sections or a line: %v, %v", sections, broken)
		}
	})
}
