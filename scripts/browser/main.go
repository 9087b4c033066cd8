// Program browser opens pages in Chromium and tells what is wrong with them:
//
//	browser [-shots DIR] PAGE…
//
// A PAGE is a file or a URL. Each is opened in light, dark, at a phone's width, and as
// printed; in each of these views axe-core must find nothing, nothing may be wider than
// the screen, and nothing but the page itself may be asked for, logged as an error or
// thrown. With -shots, pictures of all views are left in DIR, and the printed page as PDF.
// Every fault is a line on standard output; with any, it ends with 1.
//
// scripts/browser/make builds it with axe-core beside it. It is a program and a module of
// its own, so that no test of the product pulls a browser's protocol into go.mod.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// perPage is the longest that one page may take in all its views.
const perPage = 2 * time.Minute

func main() {
	shots := flag.String("shots", "", "folder for pictures of every view")
	beside, _ := os.Executable()
	axe := flag.String("axe", filepath.Join(filepath.Dir(beside), "axe.min.js"), "axe-core in one file")
	flag.Parse()
	faults, err := run(*axe, *shots, flag.Args())
	for _, f := range faults {
		fmt.Println(f)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(2)
	case len(faults) > 0:
		os.Exit(1)
	}
}

// view is one way to look at a page.
type view struct {
	name          string
	width, height int64
	media, scheme string
}

var views = []view{
	{"light", 1280, 900, "", "light"},
	{"dark", 1280, 900, "", "dark"},
	{"phone", 390, 844, "", "light"},
	{"print", 794, 1123, "print", "light"},
}

func run(axe, shots string, pages []string) ([]string, error) {
	if len(pages) == 0 {
		return nil, errors.New("no page was named")
	}
	checker, err := os.ReadFile(axe) //nolint:gosec // named by whoever runs it
	if err != nil {
		return nil, err
	}
	options := chromedp.DefaultExecAllocatorOptions[:]
	if os.Getuid() == 0 { // Chromium's sandbox wants another user; the pages are our own
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(browser); err != nil {
		return nil, err
	}
	var faults []string
	for _, p := range pages {
		found, err := look(browser, p, string(checker), shots)
		faults = append(faults, found...)
		if err != nil {
			return faults, fmt.Errorf("%s: %w", p, err)
		}
	}
	return faults, nil
}

// address is the URL of a page, and how it is called in lines and names of files.
func address(p string) (target, name string, err error) {
	if u, err := url.Parse(p); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		clean := strings.NewReplacer("/", "_", "?", "_", "=", "_", "&", "_", ":", "_")
		return p, strings.Trim(clean.Replace(u.Path+"?"+u.RawQuery), "_"), nil
	}
	whole, err := filepath.Abs(p)
	if err != nil {
		return "", "", err
	}
	return (&url.URL{Scheme: "file", Path: whole}).String(), strings.TrimSuffix(filepath.Base(p), ".html"), nil
}

// heard collects what a page does that it shouldn't.
type heard struct {
	sync.Mutex
	target string
	faults []string
}

func (h *heard) event(ev any) {
	fault := ""
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; u != h.target && !strings.HasPrefix(u, "data:") {
			fault = "asks for " + u
		}
	case *runtime.EventExceptionThrown:
		fault = "throws " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			fault = "logs " + e.Entry.Text
		}
	}
	if fault != "" {
		h.Lock()
		h.faults = append(h.faults, fault)
		h.Unlock()
	}
}

// look opens a page in every view.
func look(browser context.Context, p, axe, shots string) ([]string, error) {
	target, name, err := address(p)
	if err != nil {
		return nil, err
	}
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	if err := chromedp.Do(tab); err != nil {
		return nil, err
	}
	limited, done := context.WithTimeout(tab, perPage)
	defer done()
	h := &heard{target: target}
	if err := chromedp.Listen(tab, h.event); err != nil {
		return nil, err
	}
	if err := chromedp.Do(limited, enable); err != nil {
		return nil, err
	}
	var faults []string
	for _, v := range views {
		found, err := v.look(limited, target, name, axe, shots)
		for _, f := range found {
			faults = append(faults, fmt.Sprintf("%s: %s: %s", name, v.name, f))
		}
		if err != nil {
			return faults, err
		}
	}
	h.Lock()
	defer h.Unlock()
	seen := map[string]bool{}
	for _, f := range h.faults {
		if !seen[f] {
			seen[f] = true
			faults = append(faults, name+": "+f)
		}
	}
	return faults, nil
}

func enable(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
	if err == nil {
		_, err = cdp.Call(ctx, t, log.Enable, cdp.Empty{})
	}
	return chromedp.Void{}, err
}

// judgement is what the page says of itself: what axe-core found, and whether it is
// wider than the screen.
const judgement = `axe.run(document, {resultTypes: ["violations"]}).then(r => {
	const out = r.violations.map(v => v.id + ": " + v.help + " (" + v.nodes.map(n => n.target.join(" ")).slice(0, 5).join(", ") + ")");
	const root = document.scrollingElement;
	if (root.scrollWidth > window.innerWidth) out.push("is " + root.scrollWidth + " pixels wide on a screen of " + window.innerWidth);
	return out;
})`

func (v view) look(ctx context.Context, target, name, axe, shots string) ([]string, error) {
	media := func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: v.media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}},
		})
		return chromedp.Void{}, err
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(v.width, v.height), media, chromedp.Navigate(target)); err != nil {
		return nil, err
	}
	if shots != "" {
		if err := v.picture(ctx, filepath.Join(shots, name+"-"+v.name)); err != nil {
			return nil, err
		}
	}
	// Over the protocol, and so beyond the page's own content security policy.
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](axe)); err != nil {
		return nil, err
	}
	wait := func(p *runtime.EvaluateParams) { yes := true; p.AwaitPromise = &yes }
	return chromedp.Run(ctx, chromedp.Evaluate[[]string](judgement, wait))
}

// picture leaves a picture of the page, and of the printed one a PDF.
func (v view) picture(ctx context.Context, file string) error {
	shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".png", shot, 0o600); err != nil || v.media != "print" {
		return err
	}
	pdf, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		out, err := cdp.Call(ctx, t, page.PrintToPDF, page.PrintToPDFParams{})
		if err != nil {
			return nil, err
		}
		return out.Data, nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file+".pdf", pdf, 0o600)
}
