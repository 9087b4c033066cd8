package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

// Addressing is how a bucket stands in a request's URL.
type Addressing string

// Addressings. Auto is virtual-hosted at AWS, path-style elsewhere.
const (
	AddressingAuto    Addressing = "auto"
	AddressingPath    Addressing = "path"
	AddressingVirtual Addressing = "virtual"
)

// Settings say whom to be and where to go. The zero value is the SDK's own
// default chain at AWS.
type Settings struct {
	Profile    string // "" means the SDK's own choice
	Region     string // "" means the profile's
	Endpoint   string // of S3; "" means AWS, or AWS_ENDPOINT_URL(_S3)
	Addressing Addressing
	Version    string // of the agent, for the user agent
	// ProcessTimeout bounds a credential_process; 0 is 30 s.
	ProcessTimeout time.Duration
	// Pin makes the clients use the key that Load fetched until it ends, and no
	// other that its source may give later.
	Pin bool
	// Secrets is told of every secret that is loaded, and no word of a server is shown that it doesn't pass; nil is
	// allowed.
	Secrets *Secrets
	// Traits are what the store at the endpoint has shown of itself; nil knows nothing, and learns.
	Traits *Traits
}

// AWS is one set of credentials and the clients that use them.
type AWS struct {
	Config aws.Config
	// Transport carries plain requests over the same connections as the clients'.
	Transport http.RoundTripper
	// UserAgent is what plain requests call themselves.
	UserAgent string
	S3        *s3.Client
	// STS is nil where S3 has an endpoint of its own and STS has none: then
	// nothing may go to AWS.
	STS *sts.Client
	// Source is where the credentials came from.
	Source Source
	// Traps are what the operator should know about the source.
	Traps []*CredentialsError
	// Endpoint is S3's custom endpoint, "" at AWS. STSEndpoint likewise.
	Endpoint, STSEndpoint string
	// Custom is true for a store that is not AWS's own.
	Custom bool

	listener *listener
	keyID    string
}

// Traits are what the store at the endpoint has shown of itself.
func (a *AWS) Traits() *Traits { return a.listener.traits }

// IAM is the client of the identity service, for the judging side.
func (a *AWS) IAM() *iam.Client { return iam.NewFromConfig(a.Config) }

// loadTimeout is how long finding credentials may take in all: each source has
// a limit of its own, but a file on a server that is away has none.
const loadTimeout = 2 * time.Minute

// Load finds credentials, fetches them once, and builds the clients. It sends
// nothing to S3. The error is a *CredentialsError, the context's own, or a
// wrapped one of the SDK's. It returns when the context ends, whatever it reads.
func Load(ctx context.Context, s Settings) (*AWS, error) {
	type loaded struct {
		aws *AWS
		err error
	}
	done := make(chan loaded, 1)
	within, cancel := context.WithTimeout(ctx, max(loadTimeout, 2*s.ProcessTimeout))
	defer cancel()
	go func() {
		a, err := load(within, s)
		done <- loaded{a, err}
	}()
	select {
	case l := <-done:
		return l.aws, l.err
	case <-within.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &CredentialsError{Problem: SlowFiles, Places: strings.Join(SharedFiles(), ", ")}
	}
}

func load(ctx context.Context, s Settings) (*AWS, error) {
	found, err := FindCredentials(s.Profile, s.ProcessTimeout)
	if err != nil {
		return nil, err
	}
	options, err := found.Options(ctx)
	if err != nil {
		return nil, err
	}
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	if s.Traits == nil {
		s.Traits = &Traits{}
	}
	heard := &listener{secrets: s.Secrets, traits: s.Traits}
	options = append(options,
		config.WithHTTPClient(newHTTPClient()),
		// Every signing path must agree about the time, so that a wrong clock
		// is seen and not worked around in one of them.
		config.WithDisableClockSkewCorrection(aws.Bool(true)),
		// The SDK's own log would go past ours, to standard error, and unredacted.
		config.WithLogger(logging.Nop{}),
		config.WithAPIOptions([]func(*middleware.Stack) error{awsmiddleware.AddUserAgentKeyValue("buzon", s.version()), heard.listen}),
	)
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		file := found.Source.File
		if file == "" {
			file = SharedFiles()[1]
		}
		return nil, &CredentialsError{Problem: BadProfile, Profile: found.Source.Profile, File: file, cause: err}
	}
	value, err := found.Retrieve(ctx, cfg.Credentials)
	if err != nil {
		return nil, err
	}
	s.Secrets.Hide(value.SecretAccessKey, value.SessionToken)
	if err := flawed("region", cfg.Region, "", 0); err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, &CredentialsError{Problem: NoRegion, Profile: found.Source.Profile, Kind: found.Source.Kind}
	}
	transport := share(&cfg)
	cfg.Credentials = marked{cfg.Credentials, found}
	if s.Pin {
		cfg.Credentials = credentials.StaticCredentialsProvider{Value: value}
	}
	a := &AWS{Config: cfg, Transport: transport, UserAgent: "buzon/" + s.version(), Source: found.Source, Traps: found.Traps,
		listener: heard, keyID: value.AccessKeyID}
	a.S3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Attempts are counted on the wire and are durable before they leave, so the SDK must not add its own.
		// Calls that only read may be given Patient.
		o.Retryer = aws.NopRetryer{}
		if s.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.Endpoint)
		}
		a.Endpoint = aws.ToString(o.BaseEndpoint)
		a.Custom = a.Endpoint != "" && !amazon(a.Endpoint)
		heard.custom = a.Custom
		o.UsePathStyle = s.Addressing == AddressingPath || s.Addressing != AddressingVirtual && a.Custom
	})
	client := sts.NewFromConfig(cfg)
	a.STSEndpoint = aws.ToString(client.Options().BaseEndpoint)
	if a.Endpoint == "" || a.STSEndpoint != "" {
		a.STS = client
	}
	return a, nil
}

func (s Settings) version() string {
	if s.Version == "" {
		return "devel"
	}
	return s.Version
}

// amazon tells whether an endpoint is AWS's own, such as a VPC endpoint.
func amazon(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"} {
		if strings.HasSuffix(u.Hostname(), domain) {
			return true
		}
	}
	return false
}

// Trailers tells whether bodies on their way to an endpoint may bear their checksum behind them and go unsigned: over
// plain http to another machine nothing else than a signature protects them.
func Trailers(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Store names the store at an endpoint: "" for every endpoint of AWS's own, which all lead to the same buckets.
func Store(endpoint string) string {
	if endpoint == "" || amazon(endpoint) {
		return ""
	}
	return strings.TrimSuffix(WithoutUser(endpoint), "/")
}

// KeyID is the id of the key in use, for telling keys apart in memory; it is
// never shown whole.
func (a *AWS) KeyID() string { return a.keyID }
