package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// idle is how many connections to one host stay open between requests: as many as may run at once, or
	// each file would pay for a handshake.
	idle = 512
	// buffer is what of a request leaves in one write: its head and a small file.
	buffer = 16 << 10
)

// newHTTPClient is what LoadDefaultConfig may still add a CA bundle to: it refuses a plain http.Client when
// AWS_CA_BUNDLE is set. Proxies come from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = 0, idle, 0
		t.ForceAttemptHTTP2 = false // S3 speaks HTTP/1.1, and one connection a transfer is what is wanted
		t.TLSClientConfig.NextProtos = []string{"http/1.1"}
		t.DisableCompression = true
		t.MaxResponseHeaderBytes = maxHead
		t.WriteBufferSize = buffer
		t.TLSClientConfig.DynamicRecordSizingDisabled = true // or a small file would leave in records of a packet each
		t.IdleConnTimeout = 0                                // Wire ends what is silent
		t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			if r.StatusCode == http.StatusOK {
				return nil
			}
			return &RefusedByProxyError{r.StatusCode, http.StatusText(r.StatusCode)}
		}
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return newWire(c)
		}
	})
}

// share freezes the configuration's client into one transport, so that every service client and the plain
// requests of the uploader use the same connections. Redirects are answers, not orders.
func share(cfg *aws.Config) http.RoundTripper {
	b, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		b = newHTTPClient()
	}
	t := b.GetTransport()
	cfg.HTTPClient = &http.Client{Transport: bounded{t}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return t
}

// ProxyError is a variable of the environment that should name a proxy. Its value is not told: it may hold a password.
type ProxyError struct{ Variable string }

// Error names the variable.
func (e *ProxyError) Error() string { return e.Variable + " is no address of a proxy" }

// Proxy is the proxy through which an address is reached, without its user and password; "" if there is none.
func (a *AWS) Proxy(address string) (string, *ProxyError) {
	transport, ok := a.Transport.(*http.Transport)
	if !ok || transport.Proxy == nil {
		return "", nil
	}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return "", nil
	}
	proxy, err := transport.Proxy(request)
	switch {
	case err != nil, proxy != nil && (!wellFormed(proxy) || proxy.Path != "" && proxy.Path != "/"):
		name := strings.ToUpper(request.URL.Scheme) + "_PROXY"
		if os.Getenv(name) == "" {
			name = strings.ToLower(name)
		}
		return "", &ProxyError{name}
	case proxy == nil:
		return "", nil
	}
	return proxy.Scheme + "://" + proxy.Host, nil
}

// RefusedByProxyError is a proxy's refusal to lead to an address, as 407 is where it wants a password.
type RefusedByProxyError struct {
	Status int
	Words  string
}

// Error says what the proxy answered.
func (e *RefusedByProxyError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy answered HTTP %d %s", e.Status, e.Words))
}

// marked names the credentials when they can't be fetched in the middle of a request, where the SDK gives
// plain errors.
type marked struct {
	aws.CredentialsProvider
	found *Credentials
}

func (m marked) Retrieve(ctx context.Context) (aws.Credentials, error) {
	value, err := m.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = m.found.failed(err, false)
	}
	return value, err
}

// Patient lets one call of AWS.S3 be tried again by the SDK, up to five times: for calls that only read.
func Patient(o *s3.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 5 })
}
