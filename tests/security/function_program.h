// A `bootstrap` in C that speaks the Runtime API over a plain socket, and tries attacks, each in a
// child of its own.
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[1 << 16];

struct Attack {
  const char* name;
  long (*run)(void);
};

// What the attack came to ("done", an errno's name, "signal N"), from a child, so that a crash or a
// success changes nothing here.
static void attempt(const struct Attack* attack, char* to, size_t size) {
  int ends[2];
  if (pipe(ends) != 0) exit(10);
  pid_t child = fork();
  if (child == 0) {
    alarm(15);
    errno = 0;
    int error = attack->run() < 0 ? errno : 0;
    if (write(ends[1], &error, sizeof(error)) < 0) _exit(2);
    _exit(0);
  }
  close(ends[1]);
  int error = 0, status = 0;
  ssize_t count = read(ends[0], &error, sizeof(error));
  close(ends[0]);
  waitpid(child, &status, 0);
  if (count != sizeof(error)) {
    snprintf(to, size, "signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  } else {
    snprintf(to, size, "%s", error == 0 ? "done" : strerrorname_np(error));
  }
}

// One request, one response (Connection: close), which is left in `buffer`.
static void request(const char* text, size_t length) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in api = {
      .sin_family = AF_INET, .sin_port = htons(9001), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (fd < 0 || connect(fd, (struct sockaddr*)&api, sizeof(api)) != 0) exit(11);
  for (size_t sent = 0; sent < length;) {
    ssize_t count = write(fd, text + sent, length - sent);
    if (count <= 0) exit(12);
    sent += (size_t)count;
  }
  size_t have = 0;
  ssize_t count;
  while ((count = read(fd, buffer + have, sizeof(buffer) - 1 - have)) > 0) have += (size_t)count;
  buffer[have] = 0;
  close(fd);
}

// Answers events for ever: `answer` gets the event (what stands between the quotes of a JSON
// string) and fills a JSON text.
static int serve(void (*answer)(const char* event, char* body, size_t size)) {
  static char body[32768], message[40000], event[4096];
  for (;;) {
    const char* next =
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    request(next, strlen(next));
    char* id = strcasestr(buffer, "lambda-runtime-aws-request-id: ");
    char* text = strstr(buffer, "\r\n\r\n");
    if (id == 0 || text == 0) return 13;
    id += strlen("lambda-runtime-aws-request-id: ");
    char call[100];
    snprintf(call, sizeof(call), "%.*s", (int)strcspn(id, "\r"), id);
    text += 4;
    if (*text == '"') ++text;
    snprintf(event, sizeof(event), "%.*s", (int)strcspn(text, "\""), text);
    answer(event, body, sizeof(body));
    int length = snprintf(message, sizeof(message),
                          "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: "
                          "x\r\nConnection: close\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          call, strlen(body), body);
    request(message, (size_t)length);
  }
}
