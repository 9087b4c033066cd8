package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"buzon/agent/internal/client"
)

// remote is where and as whom requests go. PutObject and UploadPart leave through net/http with the SDK's own
// signer, endpoint rules and error decoding; docs/decisions/hot-put.md says why. The rest is service/s3.
type remote struct {
	aws         *client.AWS
	s3          *s3.Client
	credentials aws.CredentialsProvider
	transport   http.RoundTripper
	signer      *v4.Signer
	userAgent   string
	targets     sync.Map // bucket → *target
}

// target is one bucket's place.
type target struct {
	scheme, host, path string // path is without a slash at the end
	service, region    string // that requests are signed for
	// signed bodies are hashed first and signed with: over plain http to another machine nothing else protects
	// them on their way.
	signed bool
}

func newRemote(a *client.AWS) *remote {
	return &remote{
		aws: a, s3: a.S3, credentials: a.Config.Credentials, transport: a.Transport, userAgent: a.UserAgent,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}
}

var errNotSigV4 = errors.New("this kind of bucket is not signed with SigV4")

// target asks the SDK's endpoint rules, once for each bucket.
func (r *remote) target(ctx context.Context, bucket string) (*target, error) {
	if t, ok := r.targets.Load(bucket); ok {
		return t.(*target), nil
	}
	o := r.s3.Options()
	region := o.Region
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: &bucket, Region: &region, Endpoint: o.BaseEndpoint, ForcePathStyle: &o.UsePathStyle,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		Accelerate:   &o.UseAccelerate, DisableMultiRegionAccessPoints: &o.DisableMultiRegionAccessPoints,
	}.WithDefaults())
	if err != nil {
		return nil, fmt.Errorf("resolve endpoint: %w", err)
	}
	t := &target{scheme: e.URI.Scheme, host: e.URI.Host, path: e.URI.Path, service: "s3", region: region}
	if len(t.path) > 0 && t.path[len(t.path)-1] == '/' {
		t.path = t.path[:len(t.path)-1]
	}
	if options, ok := smithyauth.GetAuthOptions(&e.Properties); ok && len(options) > 0 {
		sigv4 := slices.IndexFunc(options, func(o *smithyauth.Option) bool { // the rules say it without its namespace
			return o.SchemeID == "sigv4" || o.SchemeID == smithyauth.SchemeIDSigV4
		})
		if sigv4 < 0 {
			return nil, errNotSigV4
		}
		if name, ok := smithyhttp.GetSigV4SigningName(&options[sigv4].SignerProperties); ok {
			t.service = name
		}
		if name, ok := smithyhttp.GetSigV4SigningRegion(&options[sigv4].SignerProperties); ok {
			t.region = name
		}
	}
	t.signed = !client.Trailers(t.scheme + "://" + t.host)
	r.targets.Store(bucket, t)
	return t, nil
}
