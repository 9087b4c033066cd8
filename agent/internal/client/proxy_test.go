package client

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A proxy that wants a password, or lets nobody through, is told by its number (W7).
func TestAProxysRefusalIsToldByItsNumber(t *testing.T) {
	for _, status := range []int{407, 403, 502} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		proxy, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		transport := newHTTPClient().GetTransport()
		transport.Proxy = http.ProxyURL(proxy)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://store.invalid/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err == nil {
			_ = response.Body.Close()
			t.Fatal("it was let through")
		}
		if f := Classify(err); f.Class != Transient || f.Code != "proxy" || !strings.Contains(f.Message, http.StatusText(status)) || f.Status != 0 {
			t.Errorf("%d: %+v", status, f)
		}
	}
}

func TestAnAddressOfAProxyIsHeldToItsForm(t *testing.T) {
	for address, well := range map[string]bool{
		"http://proxy:3128": true, "http://u:p@proxy:3128": true, "http://proxy": true, "http://[::1]:3128": true,
		"http://http:": false, "http://proxy:": false, "http://:3128": false, "http://proxy:0": false, "http://proxy:99999": false, "http://a b:1": false,
	} {
		u, err := url.Parse(address)
		if err == nil && wellFormed(u) != well || err != nil && well {
			t.Errorf("%s: %v", address, err)
		}
	}
}
