package rolesanywhere

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// authority issues certificates for tests.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	a.cert = a.issue(t, a.key.Public(), func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.KeyUsage = "authority", true, x509.KeyUsageCertSign
	})
	return a
}

func (a *authority) issue(t *testing.T, key crypto.PublicKey, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "vm-01"}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	change(c)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, c, parent, key, a.key))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// as it is: the certificate of a VM.
func plain(*x509.Certificate) {}

const target = "https://127.0.0.1/sessions?roleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fbuzon%2Fvm-01&profileArn=p&trustAnchorArn=a+b"

// sign makes a request for a session, written from the documentation once more.
func sign(t *testing.T, key crypto.Signer, c *x509.Certificate, at time.Time) (*http.Request, []byte) {
	t.Helper()
	body := []byte(`{"durationSeconds":3600}`)
	r := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	date := at.UTC().Format("20060102T150405Z")
	der := base64.StdEncoding.EncodeToString(c.Raw)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("X-Amz-X509", der)
	bodySum := sha256.Sum256(body)
	request := "POST\n/sessions\nprofileArn=p&roleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fbuzon%2Fvm-01&trustAnchorArn=a%20b\n" +
		"content-type:application/json\nhost:127.0.0.1\nx-amz-date:" + date + "\nx-amz-x509:" + der + "\n\n" +
		"content-type;host;x-amz-date;x-amz-x509\n" + hex.EncodeToString(bodySum[:])
	requestSum := sha256.Sum256([]byte(request))
	algorithm := "AWS4-X509-ECDSA-SHA256"
	if _, ok := key.(*rsa.PrivateKey); ok {
		algorithm = "AWS4-X509-RSA-SHA256"
	}
	scope := at.UTC().Format("20060102") + "/eu-west-1/rolesanywhere/aws4_request"
	sum := sha256.Sum256([]byte(algorithm + "\n" + date + "\n" + scope + "\n" + hex.EncodeToString(requestSum[:])))
	signature := must(key.Sign(rand.Reader, sum[:], crypto.SHA256))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=content-type;host;x-amz-date;x-amz-x509, Signature=%x",
		algorithm, c.SerialNumber, scope, signature))
	return r, body
}

func TestAnHonestSignatureIsTaken(t *testing.T) {
	a := newAuthority(t)
	for _, key := range []crypto.Signer{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(rsa.GenerateKey(rand.Reader, 2048))} {
		c := a.issue(t, key.Public(), plain)
		r, body := sign(t, key, c, time.Now())
		if got, _, err := signedBy(r, body, time.Now()); err != nil || !got.Equal(c) {
			t.Errorf("%T: %v", key, err)
		}
	}
}

// Whatever of a request is changed after it was signed, it is refused.
func TestAChangedRequestIsRefused(t *testing.T) {
	a := newAuthority(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	mine, thief := a.issue(t, key.Public(), plain), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	header := func(name, from, to string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, strings.Replace(r.Header.Get(name), from, to, 1)) }
	}
	for what, change := range map[string]func(*http.Request){
		"no signature":     func(r *http.Request) { r.Header.Del("Authorization") },
		"another role":     func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "vm-01", "vm-02", 1) },
		"another path":     func(r *http.Request) { r.URL.Path = "/session" },
		"another method":   func(r *http.Request) { r.Method = http.MethodPut },
		"another host":     func(r *http.Request) { r.Host = "elsewhere" },
		"a header":         header("Content-Type", "json", "xml"),
		"no certificate":   func(r *http.Request) { r.Header.Del("X-Amz-X509") },
		"unsigned headers": header("Authorization", "host;", ""),
		"RSA":              header("Authorization", "ECDSA", "RSA"),
		"another service":  header("Authorization", "/rolesanywhere/", "/sts/"),
		"another day":      header("Authorization", time.Now().UTC().Format("20060102"), "20200101"),
		"an old time": func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(-time.Hour).UTC().Format(signedAt))
		},
		"another's certificate": func(r *http.Request) {
			other := a.issue(t, thief.Public(), func(c *x509.Certificate) { c.SerialNumber = mine.SerialNumber })
			r.Header.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(other.Raw))
		},
		"another serial number": header("Authorization", mine.SerialNumber.String(), "1"),
		"an unsigned chain": func(r *http.Request) {
			r.Header.Set("X-Amz-X509-Chain", base64.StdEncoding.EncodeToString(a.cert.Raw))
		},
	} {
		r, body := sign(t, key, mine, time.Now())
		change(r)
		if _, _, err := signedBy(r, body, time.Now()); !errors.As(err, &refusal{}) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	r, body := sign(t, key, mine, time.Now())
	if _, _, err := signedBy(r, append(body, ' '), time.Now()); err == nil {
		t.Error("another body is taken")
	}
	r, body = sign(t, thief, mine, time.Now())
	if _, _, err := signedBy(r, body, time.Now()); err == nil {
		t.Error("the signature of another's key is taken")
	}
}

// The chain, the purpose and the time of a certificate.
func TestWhichCertificatesAreTrusted(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	for _, test := range []struct {
		what string
		c    *x509.Certificate
		at   time.Duration
		says string // "": it is trusted
	}{
		{"a VM's", ours.issue(t, key.Public(), plain), 0, ""},
		{"once it ended", ours.issue(t, key.Public(), plain), 2 * time.Hour, "not in its time"},
		{"before it begins", ours.issue(t, key.Public(), plain), -2 * time.Hour, "not in its time"},
		{"another authority's", theirs.issue(t, key.Public(), plain), 0, "not of the trust anchor"},
		{"an authority's own", ours.cert, 0, "none for signing requests"},
		{"for no signatures", ours.issue(t, key.Public(), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), 0, "none for signing"},
	} {
		s := &Service{Roots: roots, Now: func() time.Time { return time.Now().Add(test.at) }}
		err := s.trusts(test.c, nil)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.what, err)
		}
	}
}

// What is asked for must be the anchor's and the profile's, and every refusal is
// an answer that the helper understands.
func TestRefusalsAreAnswers(t *testing.T) {
	a := newAuthority(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for _, test := range []struct {
		s    *Service
		says string
	}{
		{&Service{Anchor: "other", Roots: roots}, "no trust anchor"},
		{&Service{Anchor: "a b", Roots: roots}, "does not name the role"},
		{&Service{Anchor: "a b", Roots: roots, Profiles: map[string][]string{"p": {"arn:aws:iam::111122223333:role/buzon/vm-02"}}}, "does not name the role"},
		{&Service{Anchor: "a b", Roots: x509.NewCertPool()}, "not of the trust anchor"},
	} {
		r, _ := sign(t, key, a.issue(t, key.Public(), plain), time.Now())
		w := httptest.NewRecorder()
		test.s.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || w.Header().Get("X-Amzn-Errortype") != "AccessDeniedException" || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("want %q: %d %s", test.says, w.Code, w.Body)
		}
	}
}
