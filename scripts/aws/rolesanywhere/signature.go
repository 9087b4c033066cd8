package rolesanywhere

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	withRSA   = "AWS4-X509-RSA-SHA256"
	withECDSA = "AWS4-X509-ECDSA-SHA256"

	signedAt = "20060102T150405Z"
	// A signature is taken so long before and after its time.
	skew = 5 * time.Minute
)

// signedBy gives the certificate whose key signed the request, and those that it
// brought along, or says why there is none (IAM Roles Anywhere User Guide, "The
// IAM Roles Anywhere authentication signing process": SigV4, but for the key).
func signedBy(r *http.Request, body []byte, now time.Time) (*x509.Certificate, []*x509.Certificate, error) {
	algorithm, parts := authorization(r.Header.Get("Authorization"))
	certificate, err := certificateOf(r.Header.Get("X-Amz-X509"))
	if err != nil {
		return nil, nil, denied("x-amz-x509 holds no certificate")
	}
	var others []*x509.Certificate
	if chain := r.Header.Get("X-Amz-X509-Chain"); chain != "" {
		for one := range strings.SplitSeq(chain, ",") {
			other, err := certificateOf(one)
			if err != nil {
				return nil, nil, denied("x-amz-x509-chain holds no certificates")
			}
			others = append(others, other)
		}
	}
	at, err := time.Parse(signedAt, r.Header.Get("X-Amz-Date"))
	if err != nil || at.Before(now.Add(-skew)) || at.After(now.Add(skew)) {
		return nil, nil, denied("the signature is not of now")
	}
	serial, scope, _ := strings.Cut(parts["Credential"], "/")
	if serial != certificate.SerialNumber.String() {
		return nil, nil, denied("the credential is not the certificate's serial number")
	}
	if in := strings.Split(scope, "/"); len(in) != 4 || in[0] != at.Format("20060102") || in[2] != "rolesanywhere" || in[3] != "aws4_request" {
		return nil, nil, denied("the signature has the scope %q", scope)
	}
	signed := strings.Split(parts["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-amz-date", "x-amz-x509"} {
		if !slices.Contains(signed, must) {
			return nil, nil, denied("the header %s is not signed", must)
		}
	}
	if len(others) > 0 && !slices.Contains(signed, "x-amz-x509-chain") {
		return nil, nil, denied("the header x-amz-x509-chain is not signed")
	}
	request := sha256.Sum256([]byte(canonical(r, body, signed)))
	text := strings.Join([]string{algorithm, r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(request[:])}, "\n")
	signature, err := hex.DecodeString(parts["Signature"])
	if err != nil || !verifies(certificate, algorithm, text, signature) {
		return nil, nil, denied("the signature is not the certificate's")
	}
	return certificate, others, nil
}

// authorization takes the header apart: ALGORITHM NAME=VALUE, NAME=VALUE, …
func authorization(header string) (algorithm string, parts map[string]string) {
	algorithm, rest, _ := strings.Cut(header, " ")
	parts = map[string]string{}
	for one := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		parts[name] = value
	}
	return algorithm, parts
}

func certificateOf(header string) (*x509.Certificate, error) {
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

// canonical is the request as it is signed.
func canonical(r *http.Request, body []byte, signed []string) string {
	var headers strings.Builder
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	sum := sha256.Sum256(body)
	return strings.Join([]string{
		r.Method, r.URL.EscapedPath(), query(r.URL.Query()), headers.String(), strings.Join(signed, ";"), hex.EncodeToString(sum[:]),
	}, "\n")
}

// query is the query in the order of its names, with a space as %20.
func query(values url.Values) string { return strings.ReplaceAll(values.Encode(), "+", "%20") }

func verifies(c *x509.Certificate, algorithm, text string, signature []byte) bool {
	sum := sha256.Sum256([]byte(text))
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return algorithm == withECDSA && ecdsa.VerifyASN1(key, sum[:], signature)
	case *rsa.PublicKey:
		return algorithm == withRSA && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}
