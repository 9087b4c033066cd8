package main

import (
	"fmt"
	"strings"
)

// sayer gives the sentence with that id in the reader's language.
type sayer func(id string, args ...any) string

// speak chooses the language by LC_ALL, LC_MESSAGES and LANG, as the agent does.
func speak(getenv func(string) string) sayer {
	language := 0
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := getenv(name); value != "" {
			if strings.HasPrefix(value, "es") {
				language = 1
			}
			break
		}
	}
	return func(id string, args ...any) string { return fmt.Sprintf(sentences[id][language], args...) }
}

// sentences are the story's own, in English and in Spanish; the agent's are its
// own affair.
var sentences = map[string][2]string{
	"usage": {
		"scripts/try [--keep] [FOLDER]\n\nPlays the whole path on a local AWS: deploy, check, upload FOLDER (default: docs), audit.\n  --keep   leave it running at the end, to play with",
		"scripts/try [--keep] [CARPETA]\n\nRecorre todo el camino en un AWS local: desplegar, comprobar, subir CARPETA (por defecto, docs), auditar.\n  --keep   lo deja en marcha al final, para seguir probando",
	},
	"flag-keep":    {"leave it running at the end", "lo deja en marcha al final"},
	"one-folder":   {"scripts/try sends one folder; name only one.", "scripts/try envía una sola carpeta; nombre solo una."},
	"no-folder":    {"there is no folder %s", "no hay ninguna carpeta %s"},
	"empty-folder": {"the folder %s holds no file that could be sent", "la carpeta %s no contiene ningún archivo que enviar"},
	"large-folder": {
		"the folder %s holds %d MiB; the local AWS keeps everything in memory, so at most %d MiB are sent",
		"la carpeta %s contiene %d MiB; el AWS local lo guarda todo en memoria, así que se envían como mucho %d MiB",
	},

	"title": {"Buzón, on a local AWS. Nothing here reaches the real one.", "Buzón, en un AWS local. Nada de esto llega al verdadero."},
	"where": {"Everything lives in %s.", "Todo está en %s."},

	"prepare":       {"Preparing (the first time this takes some minutes, later a few seconds)", "Preparativos (la primera vez tardan unos minutos; después, unos segundos)"},
	"prepare-agent": {"the agent and the stack's program are built", "el agente y el programa de la pila están compilados"},
	"prepare-cdk":   {"the pinned CDK is installed", "el CDK, en su versión fija, está instalado"},
	"prepare-aws":   {"the local AWS is installed", "el AWS local está instalado"},
	"prepare-keys":  {"the key scripts are built", "los programas de las claves están compilados"},

	"deploy":       {"Deploy, and issue a key", "Desplegar y emitir una clave"},
	"deploy-about": {"The platform team makes a bucket, its guard and one uploader, vm-01, that may write and nothing else.", "El equipo de plataforma crea un bucket, su guardia y un remitente, vm-01, que puede escribir y nada más."},
	"deployed":     {"the stack is deployed: the CDK ran the auditor on its template, and that said %s", "la pila está desplegada: el CDK pasó la plantilla al auditor, y este dijo %s"},
	"key-issued":   {"the key is in a file that only you can read, and was never on the screen", "la clave está en un archivo que solo usted puede leer, y nunca ha salido en pantalla"},
	"config-here":  {"(On a VM its state is /var/lib/buzon and its outbox /srv/outbox; here both are folders of %s.)", "(En una VM, el estado está en /var/lib/buzon y la bandeja de salida en /srv/outbox; aquí son carpetas de %s.)"},

	"upload":         {"Check the key, and send a folder", "Comprobar la clave y enviar una carpeta"},
	"upload-about":   {"The operator of the VM has that file and agent.yaml, and no other right.", "Quien opera la VM tiene ese archivo y agent.yaml, y ningún otro derecho."},
	"probes-refused": {"it can write the canary, and all %d probes beyond that are refused", "puede escribir el canario, y las %d sondas que van más allá se rechazan"},
	"objects-equal":  {"%d objects, read with the platform's key, equal the files of %s byte for byte", "%d objetos, leídos con la clave de plataforma, son iguales byte a byte a los archivos de %s"},
	"objects-differ": {"the bucket must hold the %d files of %s: %s", "el bucket debe contener los %d archivos de %s: %s"},
	"sent-again":     {"nothing was sent again: the journal knows what was sent, and the bucket holds what it held", "no se ha enviado nada otra vez: el diario sabe qué se envió, y el bucket contiene lo mismo que antes"},
	"more-objects":   {"… and %d more", "… y %d más"},
	"more-lines":     {"… %d more lines", "… %d líneas más"},

	"audit":       {"Prove it", "Demostrarlo"},
	"audit-about": {"Probes are samples; a reviewer wants proof. The auditor reads the policies as they are in IAM now.", "Las sondas son muestras; quien revisa quiere una prueba. El auditor lee las políticas tal como están ahora en IAM."},

	"old": {"The README of old", "El README de antes"},
	"old-about": {
		"It said: “The AmazonS3FullAccess policy was attached, limiting access to write-only”. A plain bucket, a plain user:",
		"Decía: «Se adjuntó la política AmazonS3FullAccess para restringir el acceso a solo escritura». Un bucket y un usuario corrientes:",
	},
	"witness":         {"the verdict is violation, and %d of its findings show a request that would be allowed", "el veredicto es violation, y %d de sus hallazgos muestran una solicitud que se permitiría"},
	"witness-missing": {"each error of the verdict violation must show a request that would be allowed (verdict %s, %d with one)", "cada error del veredicto violation debe mostrar una solicitud que se permitiría (veredicto %s, %d la muestran)"},
	"overpowered":     {"the gate names the %d things that the key can do beyond writing: %s …", "el control nombra las %d cosas que la clave puede además de escribir: %s …"},
	"nothing-sent":    {"nothing was sent: the plain bucket holds no file of %s", "no se ha enviado nada: el bucket corriente no contiene ningún archivo de %s"},

	"broad": {"The same mistake, made with Buzón", "El mismo error, cometido con Buzón"},
	"broad-about": {
		"Somebody attaches AmazonS3FullAccess to vm-01. The boundary and the guard hold; the audit says so, and what would happen without them.",
		"Alguien adjunta AmazonS3FullAccess a vm-01. El límite de permisos y la guardia resisten; la auditoría lo dice, y también qué pasaría sin ellos.",
	},
	"still-refused":  {"all %d probes are still refused", "las %d sondas se siguen rechazando"},
	"verdict":        {"the verdict is %s", "el veredicto es %s"},
	"verdict-other":  {"the verdict must be %s; it is %s", "el veredicto debe ser %s; es %s"},
	"held-by":        {"broad-policy is a warning, and what holds is named: %s", "broad-policy es una advertencia, y se nombra lo que resiste: %s"},
	"held-by-none":   {"broad-policy must be a warning that names the boundary and the guard's statements; it names: %s", "broad-policy debe ser una advertencia que nombre el límite de permisos y las sentencias de la guardia; nombra: %s"},
	"strict-meaning": {"With --strict the warning alone is a no, and what was not read leaves the verdict undecided:", "Con --strict la advertencia sola ya es un no, y lo que no se leyó deja el veredicto sin decidir:"},

	"clean":       {"Clean up", "Recoger"},
	"clean-about": {"The local AWS stops, and what it held is gone with it.", "El AWS local se detiene, y con él desaparece lo que contenía."},
	"cleaned":     {"nothing is left", "no queda nada"},
	"keep":        {"Kept", "Sigue en marcha"},
	"keep-about":  {"The local AWS goes on.", "El AWS local sigue en marcha."},
	"keep-how": {
		"As the VM:\n  . %[1]s/vm-01/env\n  agent check --config agent.yaml\n  echo hello > outbox/hello.txt\n  agent upload --config agent.yaml outbox\n  agent status --config agent.yaml\n\nAs the platform team and the reviewer, in a shell of their own:\n  . %[1]s/env\n  cd %[2]s\n  scripts/agent-config vm-01\n  agent audit-policy --all --bucket %[3]s --prefix 'uploads/{name}/'\n\nTo stop it and remove everything:\n  %[2]s/scripts/aws/stop %[1]s && rm -r %[1]s",
		"Como la VM:\n  . %[1]s/vm-01/env\n  agent check --config agent.yaml\n  echo hola > outbox/hola.txt\n  agent upload --config agent.yaml outbox\n  agent status --config agent.yaml\n\nComo el equipo de plataforma y quien audita, en otra consola:\n  . %[1]s/env\n  cd %[2]s\n  scripts/agent-config vm-01\n  agent audit-policy --all --bucket %[3]s --prefix 'uploads/{name}/'\n\nPara detenerlo y borrarlo todo:\n  %[2]s/scripts/aws/stop %[1]s && rm -r %[1]s",
	},

	"exit":        {"exit code %d: %s", "código de salida %d: %s"},
	"exit-0":      {"done, and yes", "hecho, y sí"},
	"exit-1":      {"done, and the answer is no", "hecho, y la respuesta es no"},
	"exit-3":      {"the gate is not passed", "el control no se ha superado"},
	"exit-other":  {"the exit code must be %d; it is %d", "el código de salida debe ser %d; es %d"},
	"unmet":       {"NOT MET:", "NO SE CUMPLE:"},
	"broke-off":   {"It could not go on: %v", "No se ha podido seguir: %v"},
	"interrupted": {"Interrupted; the local AWS is stopped, and nothing is left.", "Interrumpido; el AWS local está detenido y no queda nada."},
	"left-behind": {"This could not be cleaned up: %v", "Esto no se ha podido recoger: %v"},
	"end-met":     {"All %d expectations were met, in %s.", "Se cumplen las %d expectativas, en %s."},
	"end-unmet":   {"%d of %d expectations were NOT met.", "%d de %d expectativas NO se cumplen."},
}
