package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Times that finding credentials may take. A credential_process that says
// nothing for longer has hung; outside EC2 the instance's metadata service
// never answers at all.
const (
	processTimeout  = 30 * time.Second
	instanceTimeout = 6 * time.Second
	sourceTimeout   = 60 * time.Second
)

// Credentials is what was found before the network was asked: which source
// the SDK's chain will use, and what the operator should know about it.
type Credentials struct {
	Source Source
	// Traps are not faults: environment keys that beat a profile, or that a
	// named profile beats.
	Traps []*CredentialsError

	token    string               // the file of a web identity's token
	commands [2]map[string]string // credential_process by profile, as it is written in each of the two files
	named    bool                 // the profile was named in Buzón's configuration or by a flag
	timeout  time.Duration        // of a credential_process
}

// FindCredentials looks at the environment and the shared files in the order
// of the SDK's chain, without running or asking anything. A profile that is
// named (other than "default") beats keys in the environment, as the
// `--profile` of the AWS command line does; without one they win.
// The error is a *CredentialsError.
func FindCredentials(profile string, timeout time.Duration) (*Credentials, error) {
	c := &Credentials{timeout: timeout, named: profile != "" && profile != "default"}
	if c.timeout <= 0 {
		c.timeout = processTimeout
	}
	env := environmentKeys()
	if env.half != nil {
		return nil, env.half
	}
	if err := flawedEnvironment(env.whole && !c.named); err != nil {
		return nil, err
	}
	secrets, settings, err := readShared()
	if err != nil {
		return nil, err
	}
	for i, f := range []*sharedFile{secrets, settings} {
		c.commands[i] = map[string]string{}
		for name, values := range f.profiles {
			c.commands[i][name] = values["credential_process"]
		}
	}
	asked := profile
	if !c.named {
		asked = firstEnv("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	}
	known := func(name string) bool { return secrets.profiles[name] != nil || settings.profiles[name] != nil }
	name := asked
	if name == "" {
		name = "default"
	}
	c.Source.Profile = name
	if asked != "" && asked != "default" && !known(asked) {
		if e := near(asked, secrets, settings); e != nil {
			return nil, e
		}
		return nil, &CredentialsError{Problem: UnknownProfile, Profile: asked, File: secrets.path, Places: secrets.path + ", " + settings.path}
	}
	if err := bundle(name, settings); err != nil {
		return nil, err
	}
	if err := badEndpoint(name, settings); err != nil {
		return nil, err
	}
	inFile := gives(secrets.profiles[name]) || gives(settings.profiles[name])

	if env.whole && !c.named {
		c.Source.Kind, c.Source.Profile = SourceEnvironment, ""
		if inFile || asked != "" {
			c.trap(EnvironmentWins, name, env.variable)
		}
		return c, nil
	}
	if !c.named && os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		c.token = os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
		c.Source.Kind, c.Source.File, c.Source.Profile = SourceWebIdentity, c.token, ""
		return c, nil
	}
	if env.whole {
		c.trap(ProfileWins, name, env.variable)
	}
	if e := near(name, secrets, settings); e != nil && !known(name) {
		return nil, e
	}
	if secrets.loose() {
		return nil, loose(secrets)
	}
	if err := c.fromProfile(name, secrets, settings, 0); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Credentials) trap(p Problem, profile, variable string) {
	c.Traps = append(c.Traps, &CredentialsError{Problem: p, Profile: profile, Variable: variable})
}

func loose(f *sharedFile) error {
	return &CredentialsError{Problem: LooseFile, File: f.path, Mode: octal(f.info.Mode().Perm())}
}

// near is the problem of a section that was meant to be a profile's; nil if there is none.
func near(profile string, files ...*sharedFile) error {
	for _, f := range files {
		if line, found := f.nearly(profile); line > 0 {
			return &CredentialsError{Problem: NearProfile, Profile: profile, File: f.path, Line: line, Missing: found}
		}
	}
	return nil
}

// fromProfile follows the SDK's order within one profile.
func (c *Credentials) fromProfile(name string, secrets, settings *sharedFile, depth int) error {
	lookup := func(key string) (string, *sharedFile) {
		if v := secrets.profiles[name][key]; v != "" {
			return v, secrets
		}
		if v := settings.profiles[name][key]; v != "" {
			return v, settings
		}
		return "", nil
	}
	for _, f := range []*sharedFile{secrets, settings} {
		if err := f.flawedProfile(name); err != nil {
			return err
		}
		id, secret := f.profiles[name]["aws_access_key_id"], f.profiles[name]["aws_secret_access_key"]
		switch {
		case id != "" && secret == "":
			return &CredentialsError{Problem: HalfProfile, File: f.path, Profile: name, Variable: "aws_access_key_id", Missing: "aws_secret_access_key"}
		case id == "" && secret != "":
			return &CredentialsError{Problem: HalfProfile, File: f.path, Profile: name, Variable: "aws_secret_access_key", Missing: "aws_access_key_id"}
		case id != "" && f.loose():
			return loose(f)
		}
	}
	found := func(kind SourceKind, f *sharedFile) error {
		if c.Source.Kind == "" {
			c.Source.Kind, c.Source.File = kind, f.path
			c.Source.Owner, c.Source.Mode = ownerOf(f.info), octal(f.info.Mode().Perm())
		}
		return nil
	}
	if role, f := lookup("role_arn"); role != "" && depth == 0 {
		if token, at := lookup("web_identity_token_file"); token != "" {
			c.token = token
			return found(SourceWebIdentity, at)
		}
		_ = found(SourceRole, f)
		from, _ := lookup("credential_source")
		source, _ := lookup("source_profile")
		switch {
		case from == "" && source == "":
			return &CredentialsError{Problem: RoleAlone, Profile: name, File: f.path}
		case strings.EqualFold(from, "Environment") && !environmentKeys().whole:
			return &CredentialsError{Problem: RoleKeyless, Profile: name, File: f.path}
		}
	}
	if source, f := lookup("source_profile"); source != "" && depth < 8 {
		if secrets.profiles[source] == nil && settings.profiles[source] == nil {
			return &CredentialsError{Problem: UnknownProfile, Profile: source, File: f.path, Places: f.path}
		}
		if source != name {
			return c.fromProfile(source, secrets, settings, depth+1)
		}
	}
	for _, kind := range []struct {
		key  string
		kind SourceKind
	}{
		{"aws_access_key_id", SourceFile},
		{"credential_source", SourceRole},
		{"sso_session", SourceSSO},
		{"sso_start_url", SourceSSO},
		{"login_session", SourceLogin},
		{"credential_process", SourceProcess},
	} {
		if v, f := lookup(kind.key); v != "" {
			return found(kind.kind, f)
		}
	}
	if c.Source.Kind == "" {
		c.Source.Kind = SourceInstance
		if firstEnv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI") != "" {
			c.Source.Kind = SourceContainer
		}
	}
	return nil
}

// environment is what the environment says about keys.
type environment struct {
	whole    bool
	variable string
	half     error
}

func environmentKeys() environment {
	id, idName := firstEnv("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), "AWS_ACCESS_KEY_ID"
	secret, secretName := firstEnv("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"), "AWS_SECRET_ACCESS_KEY"
	switch {
	case id != "" && secret != "":
		return environment{whole: true, variable: idName}
	case id != "":
		return environment{half: &CredentialsError{Problem: HalfPair, Variable: idName, Missing: secretName}}
	case secret != "":
		return environment{half: &CredentialsError{Problem: HalfPair, Variable: secretName, Missing: idName}}
	default:
		return environment{}
	}
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// Options are what LoadDefaultConfig needs to follow the same path.
func (c *Credentials) Options(ctx context.Context) ([]func(*config.LoadOptions) error, error) {
	var options []func(*config.LoadOptions) error
	if c.named {
		options = append(options, config.WithSharedConfigProfile(c.Source.Profile))
	}
	switch c.Source.Kind {
	case SourceProcess, SourceRole:
		provider, err := c.process(ctx)
		if err != nil {
			return nil, err
		}
		if provider != nil {
			options = append(options, config.WithCredentialsProvider(provider))
		}
	case SourceEnvironment, SourceFile, SourceSSO, SourceLogin, SourceWebIdentity, SourceContainer, SourceInstance:
	}
	return options, nil
}

// Retrieve asks the source, once, within its time, and completes Source.
// The error is a *CredentialsError, or the context's own.
func (c *Credentials) Retrieve(ctx context.Context, provider aws.CredentialsProvider) (aws.Credentials, error) {
	if provider == nil {
		return aws.Credentials{}, &CredentialsError{Problem: NoCredentials}
	}
	if err := c.tokenFault(); err != nil { // the SDK would wait for whoever writes it
		return aws.Credentials{}, err
	}
	limit := sourceTimeout
	switch c.Source.Kind {
	case SourceInstance:
		limit = instanceTimeout
	case SourceProcess, SourceRole:
		limit = c.timeout + 5*time.Second
	case SourceEnvironment, SourceFile, SourceSSO, SourceLogin, SourceWebIdentity, SourceContainer:
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	value, err := provider.Retrieve(within)
	if err == nil && (value.AccessKeyID == "" || value.SecretAccessKey == "") {
		err = errors.New("empty")
	}
	if err != nil {
		if ctx.Err() != nil {
			return aws.Credentials{}, ctx.Err()
		}
		return aws.Credentials{}, c.failed(err, within.Err() != nil)
	}
	c.Source.Key, c.Source.Temporary = lastFour(value.AccessKeyID), value.SessionToken != ""
	if value.CanExpire {
		c.Source.Expires = value.Expires
	}
	return value, nil
}

// failed names what went wrong. The SDK's text is dropped wherever it may
// quote what a process printed.
func (c *Credentials) failed(err error, late bool) error {
	e := &CredentialsError{Kind: c.Source.Kind, File: c.Source.File, Profile: c.Source.Profile}
	var process *processcreds.ProviderError
	var api smithy.APIError
	var stranger *NotTheStoreError
	var answered *smithyhttp.ResponseError
	var unread *smithy.DeserializationError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &process):
		e.Problem, e.Code = processProblem(process)
		if e.Problem == ProcessHung {
			e.Timeout = c.timeout
		}
		return e
	case errors.As(err, &api): // whose message may hold what nobody knows to be a secret
		e.Problem, e.Code, e.cause = SourceFailed, plainCode(api.ErrorCode()), err
		return e.login()
	case errors.As(err, &stranger):
		e.Problem, e.Code, e.cause = SourceFailed, fmt.Sprintf("HTTP %d", stranger.Status), err
		return e
	case errors.As(err, &answered) && answered.HTTPStatusCode() != http.StatusNotFound:
		e.Problem, e.Code, e.cause = SourceFailed, fmt.Sprintf("HTTP %d", answered.HTTPStatusCode()), err
		return e.login()
	case errors.As(err, &unread), errors.As(err, &syntax): // it answered, and something else than credentials
		e.Problem, e.Code = SourceFailed, "rubbish"
		return e
	case late:
		e.Problem, e.Code, e.cause = SourceFailed, "timeout", err
	default:
		e.Problem, e.Code, e.cause = SourceFailed, "unreachable", err
	}
	switch c.Source.Kind {
	case SourceInstance:
		e.Problem, e.Code, e.File = NoCredentials, "", serviceFile()
		e.Places = strings.Join([]string{"AWS_ACCESS_KEY_ID",
			sharedPath("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()),
			sharedPath("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename())}, ", ")
	case SourceSSO, SourceLogin:
		return e.login()
	case SourceEnvironment, SourceFile, SourceProcess, SourceWebIdentity, SourceRole, SourceContainer:
	}
	return e
}

// serviceFile is where a key of this machine belongs: the file that is named, or the one that a service is told of, and
// never a person's home.
func serviceFile() string { return sharedPath("AWS_SHARED_CREDENTIALS_FILE", "/etc/buzon/credentials") }

// login makes of a failure of a person's login that it has ended, unless
// nobody answered in time.
func (e *CredentialsError) login() *CredentialsError {
	if (e.Kind == SourceSSO || e.Kind == SourceLogin) && e.Code != "timeout" {
		e.Problem = LoginExpired
	}
	return e
}

// tokenFault is why the token of a web identity can't be read; nil if it can,
// or if there is none.
func (c *Credentials) tokenFault() error {
	if c.token == "" {
		return nil
	}
	if _, _, err := readRegular(c.token); err != nil {
		return unreadable(c.token, err)
	}
	return nil
}

// codeLike is what a code of an error looks like; whatever else stands in its place is not shown.
var codeLike = regexp.MustCompile(`^[A-Za-z][A-Za-z.]{2,63}$`)

func plainCode(code string) string {
	if codeLike.MatchString(code) {
		return code
	}
	return "rubbish"
}
