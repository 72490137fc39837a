# One task of outcomes.py in R: Rscript outcomes.R FOLDER TASK REPEATS
suppressPackageStartupMessages({
  library(survival); library(cmprsk); library(Matrix); library(glmnet)
})
arguments <- commandArgs(TRUE)
folder <- arguments[1]; task <- arguments[2]; repeats <- as.integer(arguments[3])
path <- function(name) file.path(folder, name)
reals <- function(name) readBin(path(name), "double", file.size(path(name)) / 8)
whole <- function(name) readBin(path(name), "integer", file.size(path(name)) / 4)
answer <- function(numbers) writeBin(as.double(numbers), path(paste0(task, ".r")))
clock <- function(run) {
  best <- Inf
  for (i in seq_len(repeats)) {
    gc(FALSE)
    seconds <- system.time(found <- run())[["elapsed"]]
    best <- min(best, seconds)
  }
  cat(best, "\n")
  found
}

if (task == "curves") {
  time <- reals("time"); event <- whole("event"); group <- whole("group")
  found <- clock(function() list(
    curves = survfit(Surv(time, event) ~ group),
    test = survdiff(Surv(time, event) ~ group)))
  at <- summary(found$curves, times = 2 * (1:1000), extend = TRUE)
  answer(c(rbind(at$surv, at$std.err), found$test$chisq))
} else if (task == "cox") {
  time <- reals("time"); event <- whole("event")
  x <- matrix(reals("covariates"), nrow = length(time))
  found <- clock(function() coxph(Surv(time, event) ~ x))
  answer(c(coef(found), sqrt(diag(vcov(found)))))
} else if (task == "fine_gray") {
  time <- reals("competing_time"); cause <- whole("cause")
  x <- matrix(reals("competing_covariates"), nrow = length(time))
  found <- clock(function() crr(time, cause, x, failcode = 1, cencode = 0))
  # crr stops at a gradient of 1e-6 of the log likelihood: for the answers, not
  # the time, it goes on from there.
  closer <- crr(time, cause, x, failcode = 1, cencode = 0, init = found$coef,
                gtol = 1e-14, variance = FALSE)
  answer(c(closer$coef, sqrt(diag(found$var))))
} else if (task == "elastic_net") {
  outcome <- reals("outcome"); starts <- whole("starts"); rows <- whole("rows")
  x <- new("dgCMatrix", i = rows, p = starts, x = rep(1, length(rows)),
           Dim = c(length(outcome), length(starts) - 1L))
  glmnet.control(fdev = 0, devmax = 1)
  found <- clock(function() glmnet(x, outcome, family = "binomial", alpha = 1,
                                   nlambda = 50, lambda.min.ratio = 0.01))
  held <- summary(found$beta)
  answer(c(rbind(found$lambda, found$a0), rbind(held$j - 1, held$i - 1, held$x)))
}
